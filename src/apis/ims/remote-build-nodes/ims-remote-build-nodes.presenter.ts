import type { RemoteNode } from '../../../modules/nodes/index.js';

/** @see Image Management Service v3, RemoteBuildNodeRecord */
export function presentNode({ xname }: RemoteNode) {
  return { xname };
}

/** As the reference tells of a node that does not answer. @see Image Management Service v3, RemoteBuildNodeStatus */
export function presentNodeStatus({ xname }: RemoteNode) {
  return {
    xname,
    sshStatus: 'Unable to connect to node. Error: jobs do not run on remote nodes, so none is contacted',
    podmanStatus: 'Unknown',
    nodeArch: 'Unknown',
    numCurrentJobs: -1,
    ableToRunJobs: false,
  };
}
