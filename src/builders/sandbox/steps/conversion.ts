/** Unpacks and converts disks. */
export const CONVERSION = String.raw`
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
`;
