/** What one dependency of this process is like. */
export interface HealthReport {
  readonly name: string;
  readonly usable: boolean;
  /** A sentence for an operator: what is wrong, or what was found. */
  readonly detail?: string;
}

type HealthCheck = () => Promise<HealthReport[]>;

const TIMEOUT_MS = 3_000;

/** Asks everything this process depends on. What is required decides readiness; the rest is only told. */
export class HealthChecks {
  private readonly required = new Map<string, HealthCheck>();
  private readonly told = new Map<string, HealthCheck>();
  private asking: ReturnType<HealthChecks['ask']> | null = null;

  /** Without this dependency the process cannot serve. */
  require(name: string, check: () => Promise<void>): void {
    this.required.set(name, async () => {
      await check();
      return [{ name, usable: true }];
    });
  }

  /** Worth knowing, but the process serves without it. */
  tell(name: string, check: HealthCheck): void {
    this.told.set(name, check);
  }

  /**
   * Runs every check at once, each at most three seconds. Whoever asks while others wait gets their answer: anybody may
   * ask, and stores charge for it.
   */
  report(): Promise<{ ready: boolean; required: HealthReport[]; told: HealthReport[] }> {
    return (this.asking ??= this.ask().finally(() => (this.asking = null)));
  }

  private async ask(): Promise<{ ready: boolean; required: HealthReport[]; told: HealthReport[] }> {
    const [required, told] = await Promise.all([runAll(this.required), runAll(this.told)]);
    return { ready: required.every((report) => report.usable), required, told };
  }
}

async function runAll(checks: ReadonlyMap<string, HealthCheck>): Promise<HealthReport[]> {
  const reports = await Promise.all([...checks].map(([name, check]) => guarded(name, check)));
  return reports.flat();
}

async function guarded(name: string, check: HealthCheck): Promise<HealthReport[]> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS / 1000} seconds`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([check(), timeout]);
  } catch (error) {
    return [{ name, usable: false, detail: (error as Error).message }];
  } finally {
    clearTimeout(timer);
  }
}
