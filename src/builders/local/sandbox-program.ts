/**
 * The program that runs as the first process of every sandbox. It is a text, because it is read by the sandbox's
 * Python and not by Node, and because only `.ts` files reach `dist/`.
 *
 * It says that it has started, gets one JSON object (the order) as the first line of its standard input, does the one
 * step that this names and tells events, one JSON object a line, on descriptor 4. Whatever it or its children print is
 * the log. The end of its input means that the worker is gone: it ends, and the PID namespace with it.
 *
 * Written for Python 3.9 and newer with python3-jinja2 and python3-yaml.
 */
export const SANDBOX_PROGRAM = String.raw`
import ctypes, errno, gzip, json, lzma, os, posixpath, re, shutil, stat, subprocess, sys, tarfile, threading, time
import traceback, urllib.error, urllib.request, xml.etree.ElementTree, zipfile, zlib

RECIPE = '/job/recipe'
ROOT = '/job/root'
OUT = '/out'
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
LIBC = ctypes.CDLL(None, use_errno=True)
OUT_OF_DISK = (errno.ENOSPC, errno.EDQUOT)


class Problem(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def tell(**event):
    REPORT.write(json.dumps(event) + '\n')
    REPORT.flush()


def log(text):
    print(text, flush=True)


def shown(name):
    """A name from the archive, fit for a message."""
    text = name.encode('utf-8', 'replace').decode('utf-8')
    text = ''.join(c if c.isprintable() else '?' for c in text)
    return text if len(text) <= 200 else text[:200] + '...'


# --- The recipe archive ----------------------------------------------------------------------------------------------

class Counted:
    """Reads through and refuses to go on past a limit, so that a small archive cannot become a huge one."""

    def __init__(self, stream, limit):
        self.stream, self.left = stream, limit

    def read(self, size=-1):
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise Problem('recipe.invalid', 'The recipe archive is larger than allowed when unpacked')
        return data


def refuse(member, why):
    raise Problem('recipe.invalid', "The recipe archive is refused: '%s' %s" % (shown(member.name), why))


def parts_of(member):
    if member.name.startswith('/'):
        refuse(member, 'is an absolute name')
    parts = [part for part in member.name.split('/') if part not in ('', '.')]
    if '..' in parts:
        refuse(member, "climbs with '..'")
    return parts


def inside(path, folder=RECIPE):
    real = os.path.realpath(path)
    return real == folder or real.startswith(folder + '/')


def leaves(parts, target):
    """Whether a link leads out of the recipe. Below root/ an absolute target means the image's own file."""
    if target.startswith('/'):
        return parts[0] != 'root' or len(parts) < 2
    depth = len(parts) - 1
    for part in target.split('/'):
        if part == '..':
            depth -= 1
            if depth < 0:
                return True
        elif part not in ('', '.'):
            depth += 1
    return False


def make_parents(member, parts):
    path = RECIPE
    for part in parts[:-1]:
        path += '/' + part
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            os.mkdir(path, 0o755)
            continue
        if stat.S_ISLNK(mode):
            refuse(member, 'lies behind a link of the archive')
        if not stat.S_ISDIR(mode):
            refuse(member, 'lies below something that is no folder')


def make_room(member, path):
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        refuse(member, 'takes the name of a folder')
    os.unlink(path)


def unpack_member(archive, member, parts, budget):
    path = RECIPE + '/' + '/'.join(parts)
    make_parents(member, parts)
    if member.isdir():
        try:
            os.mkdir(path)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                refuse(member, 'takes the name of a file')
        os.chmod(path, (member.mode & 0o7777) | 0o700)
        return
    if member.issym():
        if leaves(parts, member.linkname):
            refuse(member, "is a link that leads out of the recipe (to '%s')" % shown(member.linkname))
        make_room(member, path)
        os.symlink(member.linkname, path)
        return
    if member.islnk():
        named = tarfile.TarInfo(member.linkname)
        if member.linkname.startswith('/') or '..' in member.linkname.split('/'):
            refuse(member, "is a hard link that leads out of the recipe (to '%s')" % shown(member.linkname))
        wanted = parts_of(named)
        source = RECIPE
        for part in wanted:
            source += '/' + part
            if not os.path.lexists(source) or os.path.islink(source):
                refuse(member, "is a hard link to '%s', which is no file before it in the archive" % shown(member.linkname))
        if not wanted or not os.path.isfile(source):
            refuse(member, "is a hard link to '%s', which is no file before it in the archive" % shown(member.linkname))
        if source != path:
            make_room(member, path)
            os.link(source, path)
        return
    if member.ischr() or member.isblk():
        refuse(member, 'is a device node')
    if member.isfifo():
        refuse(member, 'is a named pipe')
    if not member.isreg():
        refuse(member, 'is neither file, folder nor link')
    budget.left -= member.size
    if budget.left < 0:
        raise Problem('recipe.invalid', 'The recipe archive is larger than allowed when unpacked')
    make_room(member, path)
    content = archive.extractfile(member)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), 'wb') as file:
        shutil.copyfileobj(content, file, 1 << 20)
        os.fchmod(file.fileno(), member.mode & 0o7777)
        os.utime(file.fileno(), (max(0, member.mtime), max(0, member.mtime)))


def unpack(order):
    os.mkdir(RECIPE, 0o755)
    links = []
    with open('/archive', 'rb') as raw:
        packed = raw.peek(2)[:2] == b'\x1f\x8b'
        stream = Counted(gzip.GzipFile(fileobj=raw) if packed else raw, order['unpackedBytes'] + (1 << 20))
        budget = Counted(None, order['unpackedBytes'])
        try:
            archive = tarfile.open(fileobj=stream, mode='r|')
            count = 0
            for member in archive:
                count += 1
                if count > order['entries']:
                    raise Problem('recipe.invalid', 'The recipe archive has more than %d entries' % order['entries'])
                parts = parts_of(member)
                if not parts and not member.isdir():
                    refuse(member, 'has no name')
                if parts:
                    try:
                        unpack_member(archive, member, parts, budget)
                    except (OSError, ValueError, OverflowError) as error:
                        if isinstance(error, OSError) and error.errno in OUT_OF_DISK:
                            raise
                        if isinstance(error, (EOFError, gzip.BadGzipFile)):
                            raise
                        refuse(member, 'cannot be unpacked (%s)' % (getattr(error, 'strerror', None) or error))
                    if member.issym():
                        links.append((member, '/'.join(parts)))
                archive.members = []
            # Only the end of the stream proves a gzip file's checksum.
            while stream.read(1 << 16):
                pass
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, UnicodeError, MemoryError, RecursionError) as error:
            raise Problem('recipe.invalid', 'The recipe archive is no whole tar file, gzip-compressed or plain (%s)'
                          % (str(error) or type(error).__name__))
    for member, name in links:
        path = RECIPE + '/' + name
        if os.path.islink(path) and not os.readlink(path).startswith('/') and not inside(path):
            refuse(member, 'is a link that leads out of the recipe through other links')
    config = RECIPE + '/config.xml'
    if not os.path.isfile(config) or not inside(config):
        raise Problem('recipe.invalid', 'The recipe archive has no file config.xml at its top level')


# --- Templates -------------------------------------------------------------------------------------------------------

def template_files():
    """The listed names, or None where the list is missing or broken (which is logged, and the build goes on)."""
    import yaml
    path = RECIPE + '/.ims_recipe_template.yaml'
    try:
        if not inside(path):
            raise ValueError('it leads out of the recipe')
        with open(path, encoding='utf-8') as file:
            listed = yaml.safe_load(file)
    except (yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        log('WARNING: .ims_recipe_template.yaml cannot be read, nothing is rendered: %s' % error)
        return None
    names = listed.get('template_files') if isinstance(listed, dict) else None
    if not isinstance(names, list):
        log('WARNING: .ims_recipe_template.yaml has no list template_files, nothing is rendered')
        return None
    return names


def template_path(name):
    if not isinstance(name, str) or name == '':
        raise Problem('recipe.template_failed', '.ims_recipe_template.yaml lists %s, which is not a file name' % shown(repr(name)))
    if '\0' in name:
        raise Problem('recipe.template_failed', "Template '%s' is not a file name" % shown(name))
    path = posixpath.normpath(posixpath.join(RECIPE, name))
    if not path.startswith(RECIPE + '/') or not inside(path):
        raise Problem('recipe.template_failed', "Template '%s' lies outside of the recipe" % shown(name))
    if not os.path.isfile(path):
        raise Problem('recipe.template_failed', "Template '%s' is not a file of the recipe" % shown(name))
    return os.path.realpath(path)


def where(error, path):
    """The line of a template's fault: Jinja puts the template's own frames into the traceback."""
    line = getattr(error, 'lineno', None)
    file = getattr(error, 'filename', None) or path
    if line is None:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.startswith(RECIPE + '/'):
                file, line = frame.filename, frame.lineno
    name = file[len(RECIPE) + 1:] if file.startswith(RECIPE + '/') else path[len(RECIPE) + 1:]
    return shown(name) + (', line %d' % line if line else '')


def render(order):
    values = {entry['key']: entry['value'] for entry in order['template']}
    if not os.path.lexists(RECIPE + '/.ims_recipe_template.yaml'):
        if values:
            log('WARNING: the recipe has template values but no .ims_recipe_template.yaml, nothing is rendered')
        return
    if not values:
        raise Problem('recipe.template_failed', 'The recipe has a .ims_recipe_template.yaml but no template values')
    names = template_files()
    if names is None:
        return
    import jinja2, jinja2.sandbox

    class RecipeLoader(jinja2.FileSystemLoader):
        def get_source(self, environment, template):
            # Links may stand in the recipe; none may bring in a file from elsewhere.
            if not inside(posixpath.join(RECIPE, template)):
                raise jinja2.TemplateNotFound(template)
            return super().get_source(environment, template)

    environment = jinja2.sandbox.SandboxedEnvironment(loader=RecipeLoader(RECIPE), keep_trailing_newline=True)
    for path in dict.fromkeys(template_path(name) for name in names):
        try:
            size, rendered = 0, []
            for piece in environment.get_template(path[len(RECIPE) + 1:]).generate(values):
                size += len(piece)
                if size > order['renderedBytes']:
                    raise Problem('recipe.template_failed', "Template '%s' renders to more than %d bytes"
                                  % (shown(path[len(RECIPE) + 1:]), order['renderedBytes']))
                rendered.append(piece)
            # Written in place, so that mode and owner stay.
            with open(path, 'w', encoding='utf-8', newline='') as file:
                file.write(''.join(rendered))
        except Problem:
            raise
        except jinja2.TemplateNotFound as error:
            raise Problem('recipe.template_failed', "%s: the recipe has no template '%s'" % (where(error, path), shown(str(error))))
        except OSError as error:
            if error.errno in OUT_OF_DISK:
                raise
            raise Problem('recipe.template_failed', '%s: %s' % (where(error, path), error.strerror or error))
        except Exception as error:
            text = str(error) or type(error).__name__
            raise Problem('recipe.template_failed', '%s: %s' % (where(error, path), shown(text.splitlines()[0])))
        log('Rendered %s' % path[len(RECIPE) + 1:])


# --- Package repositories --------------------------------------------------------------------------------------------

def repositories():
    """Every package source that is reached over a network, with the addresses that prove it is there."""
    try:
        description = xml.etree.ElementTree.parse(RECIPE + '/config.xml').getroot()
    except (xml.etree.ElementTree.ParseError, ValueError, LookupError) as error:
        raise Problem('recipe.invalid', 'config.xml is not well-formed XML: %s' % error)
    found, network = [], False
    for repository in description.iter('repository'):
        for source in repository.findall('source'):
            path = (source.get('path') or '').strip()
            scheme = path.split(':', 1)[0].lower() if ':' in path else ''
            network = network or scheme not in ('', 'file', 'dir', 'this', 'iso')
            if scheme not in ('http', 'https'):
                continue
            base, kind = path.rstrip('/'), repository.get('type')
            if kind == 'apt-deb':
                suite = repository.get('distribution')
                folder = base + '/dists/' + suite if suite else base
                probes = [folder + '/InRelease', folder + '/Release']
            elif kind == 'rpm-dir':
                probes = [path]
            else:
                probes = [base + '/repodata/repomd.xml']
            found.append({'path': path, 'probes': probes})
    return {'repositories': found, 'network': network}


def answers(probe, timeout):
    request = urllib.request.Request(probe, method='HEAD', headers={'User-Agent': 'Kiln'})
    try:
        with urllib.request.urlopen(request, timeout=timeout):
            return None
    except urllib.error.HTTPError as error:
        return 'HTTP status %d' % error.code
    except urllib.error.URLError as error:
        return str(error.reason)
    except Exception as error:
        return str(error) or type(error).__name__


def wait_for_repositories(order):
    deadline = time.monotonic() + order['giveUpSeconds']
    waiting, why = list(order['repositories']), {}
    while True:
        for repository in list(waiting):
            for probe in repository['probes']:
                fault = answers(probe, order['answerSeconds'])
                if fault is None:
                    log('Repository %s is there' % repository['path'])
                    waiting.remove(repository)
                    break
                why[repository['path']] = '%s: %s' % (probe, fault)
        if not waiting:
            return {}
        if time.monotonic() + order['roundSeconds'] > deadline:
            break
        for repository in waiting:
            log('Waiting for repository %s (%s)' % (repository['path'], why[repository['path']]))
        time.sleep(order['roundSeconds'])
    first = waiting[0]['path']
    raise Problem('repository.unreachable', 'Repository %s did not answer within %g seconds (%s)'
                  % (shown(first), order['giveUpSeconds'], shown(why[first])))


# --- Building --------------------------------------------------------------------------------------------------------

def unshare(flags):
    if LIBC.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def run_confined(command):
    """
    Runs foreign code in one more user and mount namespace. The mounts it finds there belong to a namespace it has no
    rights in, so it cannot make a read-only one writable or take away one that hides something.
    """
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(go[1])
            unshare(CLONE_NEWUSER)
            os.write(ready[1], b'.')
            if os.read(go[0], 1) != b'.':
                os._exit(127)
            unshare(CLONE_NEWNS)
            os.dup2(os.open('/dev/null', os.O_RDONLY), 0)
            os.execvp(command[0], command)
        except BaseException as error:
            print('cannot run %s: %s' % (command[0], error), flush=True)
        finally:
            os._exit(127)
    os.close(ready[1])
    if os.read(ready[0], 1) == b'.':
        # Extents of the sandbox's own map, each onto itself: the kernel takes no range that spans two of them.
        for kind in ('uid_map', 'gid_map'):
            with open('/proc/self/' + kind) as own:
                extents = [line.split() for line in own]
            with open('/proc/%d/%s' % (pid, kind), 'w') as file:
                file.write(''.join('%s %s %s\n' % (first, first, count) for first, _, count in extents))
        os.write(go[1], b'.')
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def build(order):
    return {'status': run_confined(order['command'])}


# --- Packaging -------------------------------------------------------------------------------------------------------

def in_root(action):
    """Runs action chrooted in the image root in a child, where a link cannot lead to anything but the image's own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.chroot(ROOT)
            os.chdir('/')
            answer = action()
        except OSError as error:
            answer = {'errno': error.errno, 'fault': error.strerror}
        except BaseException as error:
            answer = {'fault': str(error)}
        with open(writer, 'w') as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writer)
    with open(reader) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else {'fault': 'ended early'}


def boot_listing():
    found = in_root(lambda: {'names': sorted(os.listdir('/boot'))}).get('names')
    if found is None:
        return 'the image root has no folder /boot'
    return '/boot holds ' + (', '.join(shown(name) for name in found[:20]) + (', ...' if len(found) > 20 else '') if found else 'nothing')


def take(name, target, required):
    """Copies a regular file out of the image's /boot. Returns whether it was there."""
    out = os.open(OUT + '/' + target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)

    def copy():
        if '/' in name or name in ('', '.', '..'):
            return {'fault': 'not a plain file name'}
        with open(os.open('/boot/' + name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), 'rb') as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return {'fault': 'not a regular file'}
            with open(out, 'wb', closefd=False) as target_file:
                shutil.copyfileobj(file, target_file, 1 << 20)
        return {'copied': True}

    answer = in_root(copy)
    os.close(out)
    if answer.get('copied'):
        return True
    os.unlink(OUT + '/' + target)
    if answer.get('errno') in OUT_OF_DISK:
        raise OSError(answer['errno'], answer['fault'])
    if answer.get('errno') == errno.EFBIG:
        raise Problem('build.output_too_large', 'File /boot/%s of the image is larger than a result may be' % shown(name))
    if not required and answer.get('errno') in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return False
    if not required:
        log('WARNING: /boot/%s is left out: %s' % (shown(name), answer.get('fault')))
        return False
    raise Problem('build.file_missing', "The image has no regular file /boot/%s (%s); %s"
                  % (shown(name), answer.get('fault'), boot_listing()))


def close_description():
    """kiwi leaves the filled recipe in /image; its values are for root alone."""
    try:
        folder = os.open(ROOT + '/image', os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    os.fchown(folder, 0, 0)
    os.fchmod(folder, 0o700)
    os.close(folder)


def package(order):
    if not stat.S_ISDIR(os.lstat(ROOT).st_mode):
        raise Problem('build.failed', 'The build left no image root')
    files = ['kernel', 'initrd']
    take(order['kernel'], 'kernel', True)
    take(order['initrd'], 'initrd', True)
    if take(order['bootParameters'], 'boot_parameters', False):
        files.append('boot_parameters')
    tell(percent=10)
    close_description()
    squash = subprocess.run(['mksquashfs', ROOT, OUT + '/rootfs', '-comp', 'zstd', '-Xcompression-level',
                             str(order['compressionLevel']), '-noappend', '-no-progress'],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = squash.stdout.decode('utf-8', 'replace')
    log('\n'.join(line for line in said.splitlines() if 'Unrecognised xattr prefix' not in line))
    if squash.returncode != 0:
        if 'No space left' in said or 'Disk quota' in said:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # mksquashfs itself takes a file over the limit as any other failed write.
        if 'File too large' in said or squash.returncode == -25:
            raise Problem('build.output_too_large', 'The root file system is larger than a result may be')
        raise Problem('build.failed', 'mksquashfs failed with status %d' % squash.returncode)
    os.chmod(OUT + '/rootfs', 0o644)
    return {'files': ['rootfs'] + files}


def prepare(order):
    unpack(order)
    render(order)
    return repositories()


# --- Images on their way in ------------------------------------------------------------------------------------------

def only_entry(archive):
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) != 1:
        raise Problem('import.archive_invalid', 'The zip file holds %d files; one that holds a single disk is taken' % len(entries))
    if entries[0].flag_bits & 1:
        raise Problem('import.archive_invalid', 'The file in the zip file is encrypted')
    return archive.open(entries[0])


def write_unpacked(content, limit):
    total = 0
    with open('/job/disk', 'xb') as file:
        while True:
            chunk = content.read(1 << 20)
            if not chunk:
                break
            total += len(chunk)
            if total > limit:
                raise Problem('import.too_large', 'The data is over the %d bytes that may be unpacked or converted here' % limit)
            # Empty parts of a disk become holes.
            if chunk.count(0) == len(chunk):
                file.seek(len(chunk), os.SEEK_CUR)
            else:
                file.write(chunk)
        file.truncate(total)
        os.fchmod(file.fileno(), 0o644)


def decompress(order):
    with open('/archive', 'rb') as raw:
        head = raw.peek(7)[:7]
        try:
            if head[:2] == b'\x1f\x8b':
                write_unpacked(gzip.GzipFile(fileobj=raw), order['limitBytes'])
                return {'packed': 'gzip'}
            if head[:4] == b'PK\x03\x04':
                with zipfile.ZipFile(raw) as archive, only_entry(archive) as content:
                    write_unpacked(content, order['limitBytes'])
                return {'packed': 'zip'}
        except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, NotImplementedError, RuntimeError, ValueError, MemoryError,
                zlib.error, lzma.LZMAError, UnicodeError) as error:
            raise Problem('import.archive_invalid', 'The data is no whole gzip or zip file (%s)' % (str(error) or type(error).__name__))
        if re.match(rb'(?s)..-l[hz][0-9a-z]-', head):
            raise Problem('import.archive_invalid', 'lha files are not unpacked here; pack the disk with gzip')
    return {'packed': None}


def convert(order):
    command = ['qemu-img', 'convert', '-f', order['from'], '-O', order['to'], order['source'], '/out/disk']
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode('utf-8', 'replace').strip()
    if done.returncode == 0:
        os.chmod('/out/disk', 0o644)
        return {}
    if 'No space left' in said or 'Disk quota' in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if 'File too large' in said or done.returncode == -25:
        raise Problem('import.too_large', 'The converted disk is over the %d bytes allowed' % order['limitBytes'])
    raise Problem('import.conversion_failed', 'qemu-img cannot convert the data from %s to %s (%s)'
                  % (order['from'], order['to'], shown(said.splitlines()[-1]) if said else 'status %d' % done.returncode))


STEPS = {'prepare': prepare, 'wait': wait_for_repositories, 'build': build, 'package': package,
         'decompress': decompress, 'convert': convert}


def leave_with_the_worker():
    while os.read(0, 4096):
        pass
    os._exit(137)


def main():
    os.dup2(1, 2)
    # What runs in here must not be able to write reports.
    os.set_inheritable(4, False)
    tell(started=True)
    line = sys.stdin.buffer.readline()
    if not line.endswith(b'\n'):
        os._exit(137)
    order = json.loads(line)
    threading.Thread(target=leave_with_the_worker, daemon=True).start()
    try:
        tell(result=STEPS[order['step']](order))
    except Problem as problem:
        tell(code=problem.code, message=str(problem))
    except OSError as error:
        if error.errno in OUT_OF_DISK:
            tell(code='build.out_of_disk', message='The disk of the build is full')
        else:
            raise


REPORT = os.fdopen(4, 'w', encoding='utf-8')
main()
`;

/**
 * Stands before /usr/bin/mount in the sandbox's PATH: kiwi says `mount -n --bind /dev …`, and a user namespace refuses
 * a bind that would leave out (and so uncover) what is mounted below.
 */
export const MOUNT_SHIM = `#!/bin/sh
case "$1 $2" in
  '-n --bind') shift 2; exec /usr/bin/mount -n --rbind "$@" ;;
  '--bind '*) shift; exec /usr/bin/mount --rbind "$@" ;;
esac
exec /usr/bin/mount "$@"
`;
