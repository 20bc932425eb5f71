/** Lets at most `most` things happen at once; the others wait in order. */
export class Limiter {
  private active = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly most: number) {}

  /** Whether something started now would not wait. */
  get hasRoom(): boolean {
    return this.active < this.most;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.hasRoom) this.active += 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      // The place is handed on, so `active` stays.
      if (next) next();
      else this.active -= 1;
    }
  }
}
