/** A shell for a person: in the image root alone (jailed), or beside it. */
export const SHELL = String.raw`
SSHD_CONFIG = '''
HostKey /run/keys/host_key
PidFile none
AuthorizedKeysFile /run/keys/authorized_keys
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin prohibit-password
AllowUsers root
AllowTcpForwarding no
AllowAgentForwarding no
AllowStreamLocalForwarding no
PermitTunnel no
X11Forwarding no
PermitUserRC no
LoginGraceTime 60
PrintLastLog no
PrintMotd no
Subsystem sftp internal-sftp
'''


def quiet(command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def make_keys(order):
    """The host's key is made in memory and ends with the shell. Returns its public half."""
    for folder, mode in (('/run/sshd', 0o755), ('/run/keys', 0o755)):
        os.mkdir(folder, mode)
    made = quiet(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', '/run/keys/host_key'])
    if made.returncode != 0:
        raise Problem('shell.failed', 'No key could be made for the shell (%s)' % shown(made.stdout.decode('utf-8', 'replace').strip()))
    with open('/run/keys/authorized_keys', 'w') as file:
        file.write(order['authorizedKey'].rstrip('\n') + '\n')
    os.chmod('/run/keys/authorized_keys', 0o644)
    if quiet(['ssh-keygen', '-l', '-f', '/run/keys/authorized_keys']).returncode != 0:
        log('WARNING: the public key of the job is none that ssh knows; nobody will come in')
    with open('/run/keys/host_key.pub') as file:
        return ' '.join(file.read().split()[:2])


def login_shell(jail):
    """The best shell there is where people land."""
    if not jail:
        return '/bin/bash'
    found = in_root(lambda: {'shell': next((path for path in ('/bin/bash', '/bin/sh') if os.access(path, os.X_OK)), None)})
    if not found.get('shell'):
        raise Problem('image.invalid', 'The image has neither /bin/bash nor /bin/sh, so there is no shell to open in it')
    return found['shell']


def forget_flags(jail):
    """An image, or what was built before, may have brought flags along, which nobody has set here."""
    for name in FLAGS:
        if jail:
            in_root(lambda: {'removed': remove('/tmp/' + name)})
        elif os.path.lexists(IMAGE_FOLDER + '/' + name):
            remove(IMAGE_FOLDER + '/' + name)


def own_root():
    """sshd jails nobody in a folder that others may change; its own mode and owner come back at the end."""
    found = os.lstat(ROOT)
    with open(KEPT + '/mode', 'w') as file:
        json.dump([stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid], file)
    os.chown(ROOT, 0, 0)
    os.chmod(ROOT, stat.S_IMODE(found.st_mode) & ~0o022 | 0o555)


def serve(listener, jail):
    """One sshd a connection, as inetd would."""
    serving = []
    while True:
        connection, _ = listener.accept()
        serving = [process for process in serving if process.poll() is None]
        with connection:
            serving.append(subprocess.Popen(['/usr/sbin/sshd', '-i', '-e', '-f', '/run/keys/sshd_config'],
                                            stdin=connection, stdout=connection))


def shell(order):
    """Serves until the person says that it is done. Tells the host's key when people may come."""
    jail, place = order['jail'], '/run/jail' if order['jail'] else '/mnt/image/' + order['place']
    left = IMAGE_FOLDER + '/' + order['place']
    # That of a recipe of Packer lies where its author has put it.
    if not os.path.lexists(ROOT) and os.path.isdir(left) and not os.path.islink(left):
        os.rename(left, ROOT)
    for folder in (ROOT, KEPT):
        os.makedirs(folder, exist_ok=True)
    forget_flags(jail)
    lend_all()
    points = mount_points(order) if jail or order['mounts'] else []
    shell_path = login_shell(jail)
    if jail:
        own_root()
        os.mkdir('/run/jail', 0o755)
    else:
        os.makedirs(left, exist_ok=True)
        os.makedirs('/mnt/image')
        mount(IMAGE_FOLDER, '/mnt/image', MS_BIND)
    host_key = make_keys(order)
    with open('/run/keys/sshd_config', 'w') as file:
        file.write(SSHD_CONFIG)
        file.write('SetEnv %s\n' % ' '.join('"%s=%s"' % pair for pair in order['environment'].items()))
        if jail:
            file.write('ChrootDirectory /run/jail\n')
    with open('/etc/passwd') as own, open('/run/keys/passwd', 'w') as file:
        file.write(own.read().replace(':/root:/bin/bash', ':/root:' + shell_path, 1))
    # Else sshd complains of them to everybody who comes.
    os.mkdir('/var/log', 0o755)
    for path in ('/var/log/lastlog', '/var/log/wtmp'):
        open(path, 'x').close()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind('/job/shell.sock')
    os.chmod('/job/shell.sock', 0o600)
    listener.listen(16)

    def body():
        mount('/run/keys/passwd', '/etc/passwd', MS_BIND)
        # Before the root is seen at its place, so that people see it with them.
        for source, target in points:
            mount(source, target, MS_BIND | MS_REC)
        mount(ROOT, place, MS_BIND | MS_REC)
        serve(listener, jail)

    server = start_confined(body)
    tell(shell={'hostKey': host_key})
    while True:
        ended = flagged(jail)
        if ended:
            return {'ended': ended}
        if os.waitpid(server, os.WNOHANG)[0] != 0:
            raise Problem('shell.failed', 'The server of the shell ended by itself')
        time.sleep(order['pollSeconds'])


def flagged(jail):
    """What the person said: 'failed' wins. In a jail the image's own /tmp is looked into, wherever that leads."""
    if not jail:
        return next((name for name in FLAGS if os.path.lexists(IMAGE_FOLDER + '/' + name)), None)
    return in_root(lambda: {'flag': next((name for name in FLAGS if os.path.lexists('/tmp/' + name)), None)}).get('flag')
`;
