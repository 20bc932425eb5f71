/** Unpacks recipes, which are of foreign hands. */
export const RECIPE_ARCHIVE = String.raw`
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


def is_recipe_file(name):
    path = RECIPE + '/' + name
    return os.path.isfile(path) and inside(path)


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
    if order['recipeType'] == 'kiwi-ng' and not is_recipe_file('config.xml'):
        raise Problem('recipe.invalid', 'The recipe archive has no file config.xml at its top level')
`;
