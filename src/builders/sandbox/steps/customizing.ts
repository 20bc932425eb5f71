/** Opens the root file system of an image, lets scripts or people into it, and leaves no trace of itself there. */
export const CUSTOMIZING = String.raw`
KEPT = '/job/kept'
FLAGS = ('failed', 'complete')


def unpack_image(order):
    """Device nodes cannot be made in here, and are not missed: whoever boots an image mounts devtmpfs."""
    program = subprocess.Popen(['unsquashfs', '-no-progress', '-quiet', '-d', ROOT, '/archive'],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines, full = collections.deque(maxlen=20), False
    for line in program.stdout:
        line = line.decode('utf-8', 'replace').strip()
        full = full or 'No space left' in line or 'Disk quota' in line
        if line and not re.search(r'failed to create (character|block) device', line):
            lines.append(line)
    status = program.wait()
    if full:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # 2 says that something, as a device, could not be made; the rest is there.
    if status not in (0, 2) or not os.path.isdir(ROOT) or os.path.islink(ROOT):
        raise Problem('image.invalid', 'The root file system of the image is no whole squashfs (%s)'
                      % (shown(lines[-1]) if lines else 'status %d' % status))
    if lines:
        log('\n'.join(lines))
    os.mkdir(KEPT, 0o700)
    put_authorities(order)
    return {}


def mount_point(name):
    """
    A folder of the image to mount on. Nothing is mounted on a link, which would lead elsewhere. One that is missing is
    made, and noted so that it goes again.
    """
    path = ROOT + '/' + name
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise Problem('image.invalid', 'The image has something at /%s that is no folder' % name)
    except FileNotFoundError:
        os.mkdir(path, 0o755)
        open(KEPT + '/made-' + name, 'x').close()
    return path


def mount_points(order):
    names = ['proc', 'dev', 'sys'] + (['repo'] if order['repo'] else [])
    return [(('/' + name), mount_point(name)) for name in names]


def put_resolver():
    """The image's own file is kept until the end, also where it is a link."""
    if not os.path.exists('/etc/resolv.conf') or os.path.lexists(KEPT + '/resolver'):
        return
    with open('/etc/resolv.conf') as file:
        text = file.read()
    kept = os.open(KEPT, os.O_RDONLY | os.O_DIRECTORY)

    def put():
        if not os.path.isdir('/etc'):
            return {}
        if os.path.lexists('/etc/resolv.conf'):
            os.rename('/etc/resolv.conf', 'resolv.conf', dst_dir_fd=kept)
        with open('/etc/resolv.conf', 'x') as file:
            file.write(text)
        return {'put': True}

    if in_root(put).get('put'):
        open(KEPT + '/resolver', 'x').close()
    os.close(kept)


def take_resolver():
    if not os.path.lexists(KEPT + '/resolver'):
        return
    kept = os.open(KEPT, os.O_RDONLY | os.O_DIRECTORY)
    had = os.path.lexists(KEPT + '/resolv.conf')

    def take():
        if os.path.lexists('/etc/resolv.conf'):
            os.unlink('/etc/resolv.conf')
        if had:
            os.rename('resolv.conf', '/etc/resolv.conf', src_dir_fd=kept)
        return {}

    in_root(take)
    os.close(kept)
    os.unlink(KEPT + '/resolver')


def script(order):
    """Runs one script in the image root. It is never a file of the image, so none of it can stay there."""
    put_resolver()
    points = mount_points(order)
    text = os.memfd_create('script')
    with open(text, 'wb', closefd=False) as file:
        file.write(order['text'].encode())
    first = re.match(r'#![ \t]*(\S+)(?:[ \t]+(\S[^\n]*?))?[ \t\r]*\n', order['text'] + '\n')
    command = [first.group(1)] + ([first.group(2)] if first.group(2) else []) if first else ['/bin/sh']

    def enter():
        os.dup2(os.open('/proc/self/fd/%d' % text, os.O_RDONLY), 9)
        # It may have been opened as 9.
        os.set_inheritable(9, True)
        for source, target in points:
            mount(source, target, MS_BIND | MS_REC)
        os.chroot(ROOT)
        os.chdir('/root' if os.path.isdir('/root') else '/')
        os.environ.clear()
        os.environ.update({'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root',
                           'LANG': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive', 'container': 'lxc', **order['environment']})

    return {'status': run_confined(command + ['/dev/fd/9'], enter)}


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def tidy(order):
    """After the last process of the shell or the scripts is gone: takes away what was only there for them."""
    if not os.path.isdir(KEPT):
        return {}
    take_resolver()
    for name in FLAGS:
        in_root(lambda: {'removed': remove('/tmp/' + name)})
    for name in os.listdir(KEPT):
        if name.startswith('made-'):
            try:
                os.rmdir(ROOT + '/' + name[len('made-'):])
            except OSError:
                # Somebody put something there: now it is the image's.
                pass
    if os.path.exists(KEPT + '/mode'):
        with open(KEPT + '/mode') as file:
            mode, uid, gid = json.load(file)
        os.chown(ROOT, uid, gid)
        os.chmod(ROOT, mode)
    shutil.rmtree(KEPT)
    return {}
`;
