/** Takes the order, does its step, and tells what came of it. */
export const MAIN = String.raw`
STEPS = {'prepare': prepare, 'wait': wait_for_repositories, 'build': build, 'packer': packer, 'collect': collect,
         'unpack_image': unpack_image, 'shell': shell, 'script': script, 'tidy': tidy, 'package': package,
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
