import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { tar } from '../tar.js';

const run = promisify(execFile);

/** What a distribution of rpm packages, and builds of its recipes, take; for `describeWith`. */
export const RPM_PROGRAMS = ['zypper', 'dnf', 'rpmbuild', 'createrepo_c', 'busybox'];

const HEAD = `Version: 1
Release: 1
License: MIT
AutoReqProv: no
%global __os_install_post %{nil}
%description
%{summary}
`;

/** Takes a program of this machine along, with its libraries. */
const TAKE = `take() {
  cp -L $(command -v $1) usr/bin/
  ldd $(command -v $1) | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p usr$(dirname \${library#/usr})
    cp -L $library usr\${library#/usr}
  done
}`;

/** Names of packages, and how each is made. */
const SPECS: Readonly<Record<string, string>> = {
  // As much of a system as kiwi-ng asks for: a shell, files that name who and what it is, the folders that kiwi mounts.
  'tiny-base': `Summary: Busybox as a system
%install
cd %{buildroot}
mkdir -p usr/bin usr/sbin usr/lib usr/lib64 etc/rpm boot dev proc sys tmp var/tmp root usr/share/pki/trust/anchors
for name in bin sbin lib lib64; do ln -s usr/$name $name; done
${TAKE}
for program in busybox bash; do take $program; done
for name in sh cat cp mkdir; do ln -s busybox usr/bin/$name; done
echo root:x:0:0:root:/root:/bin/sh > etc/passwd
echo root:x:0: > etc/group
echo ID=tiny > etc/os-release
echo a kernel > boot/vmlinuz
echo an initrd > boot/initrd
printf '#!/bin/sh\\ncat /usr/share/pki/trust/anchors/* > /etc/ca-bundle.pem\\n' > usr/sbin/update-ca-certificates
chmod 755 usr/sbin/update-ca-certificates
%files
/*
`,
  // This machine's own, so that it can install what follows from within.
  zypper: `Summary: A package manager
%install
cd %{buildroot}
mkdir -p usr/bin usr/lib
${TAKE}
for program in zypper rpm rpmdb rpmkeys rpmdb2solv repo2solv; do take $program; done
cp -r /usr/lib/rpm usr/lib/
%files
/usr/*
`,
  // As the packages of real distributions that bring the folders of the kernel.
  'tiny-kernel-folders': `Summary: Folders to mount on
%install
mkdir -p %{buildroot}/proc %{buildroot}/sys %{buildroot}/etc
echo there > %{buildroot}/etc/folders
%files
/*
`,
  'tiny-more': `Summary: More than the least
%install
mkdir -p %{buildroot}/etc
echo more > %{buildroot}/etc/more
%files
/etc/more
`,
};

/** A new folder with a repository of rpm packages, for `KILN_BUILD_REPOS`. */
export async function rpmRepository(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-rpm-'));
  const work = await mkdtemp(join(tmpdir(), 'kiln-rpmbuild-'));
  try {
    await mkdir(join(work, 'BUILD'));
    for (const [name, spec] of Object.entries(SPECS)) {
      const [summary, ...rest] = spec.split('\n');
      await writeFile(join(work, `${name}.spec`), [`Name: ${name}`, summary, HEAD, ...rest].join('\n'));
      const macros = [`_topdir ${work}`, `_rpmdir ${folder}`, '_binary_payload w1.gzdio'];
      const defined = macros.flatMap((macro) => ['--define', macro]);
      await run('rpmbuild', ['-bb', ...defined, join(work, `${name}.spec`)]);
    }
    await run('createrepo_c', ['--quiet', folder]);
    // Builds are somebody else.
    await chmod(folder, 0o755);
    return folder;
  } finally {
    await rm(work, { recursive: true });
  }
}

/** What a recipe of that distribution installs. */
export interface RpmPackages {
  readonly bootstrap: readonly string[];
  /** From within the new root. */
  readonly image?: readonly string[];
  /** Where they come from; by default the folder of `KILN_BUILD_REPOS`. */
  readonly source?: string;
}

/** The archive of a recipe of that distribution. */
export function rpmRecipe(
  packageManager: string,
  { bootstrap, image = [], source = 'dir:///repo' }: RpmPackages,
): Buffer {
  const packages = (type: string, names: readonly string[]) =>
    `<packages type="${type}">${names.map((name) => `<package name="${name}"/>`).join('')}</packages>`;
  const description = `<?xml version="1.0" encoding="utf-8"?>
<image schemaversion="7.4" name="tiny">
    <description type="system">
        <author>Kiln</author><contact>kiln@example.org</contact><specification>Busybox as a system</specification>
    </description>
    <preferences>
        <version>1.0.0</version>
        <packagemanager>${packageManager}</packagemanager>
        <rpm-check-signatures>false</rpm-check-signatures>
        <type image="tbz"/>
    </preferences>
    <repository type="rpm-md" alias="tiny"><source path="${source}"/></repository>
    ${packages('bootstrap', bootstrap)}${image.length > 0 ? packages('image', image) : ''}
</image>`;
  return tar([
    { name: 'config.xml', content: description },
    { name: 'config.sh', content: '#!/bin/sh\necho configured > /etc/configured\n', mode: 0o755 },
  ]);
}
