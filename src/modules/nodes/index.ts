export { RemoteNodeNotFoundError } from './nodes.errors.js';
export { NodesModule } from './nodes.module.js';
export { NodesService } from './nodes.service.js';
export { RemoteNode } from './remote-node.entity.js';
