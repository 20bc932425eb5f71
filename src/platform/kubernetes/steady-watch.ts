import type { KubeConfig, Watch } from '@kubernetes/client-node';

/**
 * The client's own watch, which tells of every failure through `done`. An informer that goes on where a watch has ended
 * does so in a call that nobody waits for, so what is rejected there (for a credential that cannot be had just now) would
 * end the process.
 */
export function steadyWatch(client: typeof import('@kubernetes/client-node'), kubeConfig: KubeConfig): Watch {
  return new (class extends client.Watch {
    override async watch(...[path, query, onEvent, done]: Parameters<Watch['watch']>): Promise<AbortController> {
      try {
        return await super.watch(
          path,
          query,
          // The same goes for an event that is none.
          (type, object, whole) => (isThing(object) ? onEvent(type, object, whole) : undefined),
          done,
        );
      } catch (error) {
        done(error);
        return new AbortController();
      }
    }
  })(kubeConfig);
}

function isThing(object: unknown): boolean {
  const { kind, metadata } = (object ?? {}) as { kind?: unknown; metadata?: unknown };
  return kind === 'Status' || (typeof metadata === 'object' && metadata !== null);
}
