/** Runs foreign code. */
export const CONFINED = String.raw`
def unshare(flags):
    if LIBC.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def mount(source, target, flags):
    if LIBC.mount(source.encode(), target.encode(), None, flags, None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, 'cannot mount %s on %s: %s' % (source, target, os.strerror(code)))


def start_confined(body):
    """
    Runs body in a child in one more user and mount namespace. The mounts it finds there belong to a namespace it has no
    rights in, so it cannot make a read-only one writable or take away one that hides something. Returns the child's id.

    What runs in there may take whatever the child has open, so the child must not be able to report either.
    """
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(go[1])
            REPORT.close()
            unshare(CLONE_NEWUSER)
            os.write(ready[1], b'.')
            if os.read(go[0], 1) != b'.':
                os._exit(127)
            unshare(CLONE_NEWNS)
            os.dup2(os.open('/dev/null', os.O_RDONLY), 0)
            body()
        except BaseException as error:
            print('cannot go on: %s' % error, flush=True)
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
    for end in (ready[0], go[0], go[1]):
        os.close(end)
    return pid


def run_confined(command, prepare=None):
    """Runs a foreign program confined, and returns its exit status."""
    def body():
        if prepare:
            prepare()
        # Python ignores them, and whatever it becomes would, too: a program behind a pipe would not end with it.
        for each in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(each, signal.SIG_DFL)
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print('cannot run %s: %s' % (command[0], error), flush=True)

    _, status = os.waitpid(start_confined(body), 0)
    return os.waitstatus_to_exitcode(status)


def build(order):
    return {'status': run_confined(order['command'])}
`;
