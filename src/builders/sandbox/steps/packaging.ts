/** Takes the files of an image out of its root. */
export const PACKAGING = String.raw`
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


def kernel_name(order):
    """On aarch64 kernels are called Image, also where a client asks for what it always asks for."""
    if order['arch'] != 'aarch64' or order['kernel'] != 'vmlinuz':
        return order['kernel']
    names = in_root(lambda: {'names': os.listdir('/boot')}).get('names') or []
    return 'Image' if 'Image' in names and 'vmlinuz' not in names else 'vmlinuz'


def package(order):
    if not stat.S_ISDIR(os.lstat(ROOT).st_mode):
        raise Problem('build.failed', 'The build left no image root')
    files = ['kernel', 'initrd']
    take(kernel_name(order), 'kernel', True)
    take(order['initrd'], 'initrd', True)
    if take(order['bootParameters'], 'boot_parameters', False):
        files.append('boot_parameters')
    tell(percent=10)
    close_description()
    put_authorities(order)
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

`;
