import { setTimeout as delay } from 'node:timers/promises';
import type { V1Service } from '@kubernetes/client-node';
import type { Config } from '../../config/config.js';
import type { BuildReporter } from '../../modules/jobs/index.js';
import type { Cluster, ClusterObject } from '../../platform/kubernetes/cluster.js';
import type { ClusterWatch } from '../../platform/kubernetes/cluster-watch.js';

const LOOK_MS = 2_000;

export type ServiceObject = ClusterObject & V1Service;

/** Finds out where users reach the shell of a job, which a Service may know only later, and tells it once. */
export class ShellAddress {
  private readonly stopped = new AbortController();

  constructor(
    private readonly cluster: Cluster,
    private readonly watch: ClusterWatch,
    private readonly service: ServiceObject,
    private readonly jobName: string,
    private readonly config: Config,
    private readonly report: BuildReporter,
  ) {
    void this.find();
  }

  stop(): void {
    this.stopped.abort();
  }

  private async find(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      try {
        const address = await this.look();
        if (address) return await this.report.shell({ ...address, inside: this.inside() });
      } catch {
        // The cluster or the database will be back; a lease that is lost meanwhile ends the execution by itself.
      }
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The name that every Service has, whatever leads to it from outside. */
  private inside(): { readonly host: string; readonly port: number } {
    const host = `${this.service.metadata.name}.${this.cluster.namespace}.svc.cluster.local`;
    return { host, port: this.servicePort().port };
  }

  private servicePort() {
    return this.service.spec!.ports![0]!;
  }

  /** Undefined: nobody knows yet. */
  private async look(): Promise<{ readonly host: string; readonly port: number } | undefined> {
    const { serviceType, shellHost } = this.config.kubernetes;
    const { name } = this.service.metadata;
    const port = this.servicePort();
    if (serviceType === 'ClusterIP') return this.inside();
    if (serviceType === 'NodePort') {
      const pods = this.watch.of(this.jobName).pods;
      const host = shellHost ?? pods.find(({ status }) => status?.hostIP !== undefined)?.status?.hostIP;
      return host === undefined || port.nodePort === undefined ? undefined : { host, port: port.nodePort };
    }
    const found = await this.cluster.find<ServiceObject>('Service', name);
    const ingress = found?.status?.loadBalancer?.ingress?.[0];
    const host = ingress?.ip ?? ingress?.hostname;
    return host === undefined ? undefined : { host, port: port.port };
  }
}
