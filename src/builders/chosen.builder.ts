import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { Config, type ExecutorRule } from '../config/config.js';
import {
  BuildFailedError,
  Builder,
  type BuilderReadiness,
  type BuildOrder,
  type BuildReporter,
  type BuildResult,
} from '../modules/jobs/index.js';
import { KubernetesBuilder } from './kubernetes/kubernetes.builder.js';
import { LocalBuilder } from './local/local.builder.js';

/** Sends each build where the configuration says, by its architecture and size. */
@Injectable()
export class ChosenBuilder extends Builder {
  private readonly rules: readonly ExecutorRule[];

  constructor(
    config: Config,
    private readonly local: LocalBuilder,
    private readonly kubernetes: KubernetesBuilder,
  ) {
    super();
    this.rules = config.builds.executors;
  }

  override async build(
    order: BuildOrder,
    source: () => Promise<Readable>,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult> {
    const rule = this.rules.find((candidate) => fits(candidate, order));
    if (!rule) {
      throw new BuildFailedError(
        'builder.unavailable',
        `No executor is set up for ${order.arch} and a build environment of ${order.buildEnvSizeGib} GiB`,
      );
    }
    return rule.executor === 'local'
      ? this.local.build(order, source, report, signal)
      : this.kubernetes.buildBy(rule, order, report, signal);
  }

  override async readiness(): Promise<BuilderReadiness[]> {
    return (await Promise.all(this.used().map((builder) => builder.readiness()))).flat();
  }

  /** Each in its own time: a cluster that is away must not keep leftovers on this machine. */
  override async sweep(): Promise<void> {
    const outcomes = await Promise.allSettled(this.used().map((builder) => builder.sweep()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  private used(): Builder[] {
    const named = (executor: ExecutorRule['executor']) => this.rules.some((rule) => rule.executor === executor);
    return [...(named('local') ? [this.local] : []), ...(named('kubernetes') ? [this.kubernetes] : [])];
  }
}

function fits({ arch, maxSizeGib }: ExecutorRule, order: BuildOrder): boolean {
  return (
    (arch === undefined || arch === order.arch) && (maxSizeGib === undefined || order.buildEnvSizeGib <= maxSizeGib)
  );
}
