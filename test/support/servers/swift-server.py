"""The parts of a Swift that need Swift's own code: `swift-server.py rings|account|container|object|proxy <folder>`."""
import os
import sys

from swift.common import utils
from swift.common.ring import RingBuilder
from swift.common.wsgi import run_wsgi

KINDS = ('account', 'container', 'object')


def make_rings(folder, ports):
    """Everything lies on one device, once. In one process: `swift-ring-builder` would have to be run nine times."""
    for kind, port in zip(KINDS, ports):
        builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
        builder.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': 'disk', 'weight': 1})
        builder.rebalance()
        builder.get_ring().save(os.path.join(folder, kind + '.ring.gz'))


def main(command, folder, *ports):
    # The programs of the package look for swift.conf in /etc/swift and nowhere else.
    utils.set_swift_dir(folder)
    if command == 'rings':
        return make_rings(folder, ports)
    # With its log on standard error.
    return run_wsgi(os.path.join(folder, command + '.conf'), command + '-server', verbose=True)


sys.exit(main(*sys.argv[1:]))
