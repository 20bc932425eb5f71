/** Opens the root file system of an image, lets scripts or people into it, and leaves no trace of itself there. */
export const CUSTOMIZING = String.raw`
KEPT = '/job/kept'
FLAGS = ('failed', 'complete')
# What an image is lent while somebody is in it: how names are looked up, and what rpm passes over.
LENT = (('/etc/resolv.conf', '/etc/resolv.conf'), ('/etc/rpm/macros', '/etc/rpm/macros.kiln'))


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


def lend(source, target):
    """Gives the image a file of the sandbox until the end. Its own is kept, also where it is a link."""
    folder, name = os.path.split(target)
    if not os.path.exists(source) or os.path.lexists(KEPT + '/lent-' + name):
        return
    with open(source) as file:
        text = file.read()
    kept = os.open(KEPT, os.O_RDONLY | os.O_DIRECTORY)

    def put():
        if not os.path.isdir(folder):
            return {}
        if os.path.lexists(target):
            os.rename(target, name, dst_dir_fd=kept)
        with open(target, 'x') as file:
            file.write(text)
        return {'put': True}

    if in_root(put).get('put'):
        open(KEPT + '/lent-' + name, 'x').close()
    os.close(kept)


def lend_all():
    for source, target in LENT:
        lend(source, target)


def take_back(target):
    name = os.path.basename(target)
    if not os.path.lexists(KEPT + '/lent-' + name):
        return
    kept = os.open(KEPT, os.O_RDONLY | os.O_DIRECTORY)
    had = os.path.lexists(KEPT + '/' + name)

    def take():
        if os.path.lexists(target):
            os.unlink(target)
        if had:
            os.rename(name, target, src_dir_fd=kept)
        return {}

    in_root(take)
    os.close(kept)
    os.unlink(KEPT + '/lent-' + name)


def script(order):
    """Runs one script in the image root. It is never a file of the image, so none of it can stay there."""
    lend_all()
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
    for _, target in LENT:
        take_back(target)
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
