/** One upload's share of `PartMemory`. */
export interface PartMemoryUser {
  held: number;
}

/**
 * Memory for the parts of all uploads of this process.
 *
 * Each upload may always have one buffer, so that a slow client that fills its own for minutes stops nobody else;
 * further ones, which let a part be sent while the next arrives, come out of a common stock.
 */
export class PartMemory {
  private readonly unused: Buffer[] = [];
  private waiting: { user: PartMemoryUser; grant: () => void }[] = [];

  constructor(
    private spare: number,
    private readonly keepUnused = spare,
  ) {}

  async acquire(user: PartMemoryUser, bytes: number): Promise<Buffer> {
    if (!this.tryGrant(user)) await new Promise<void>((grant) => this.waiting.push({ user, grant }));
    const index = this.unused.findIndex((buffer) => buffer.length === bytes);
    return index >= 0 ? this.unused.splice(index, 1)[0]! : Buffer.allocUnsafeSlow(bytes);
  }

  /** @param reusable false if a connection may still read from it */
  release(user: PartMemoryUser, buffer: Buffer, reusable: boolean): void {
    user.held -= 1;
    if (user.held > 0) this.spare += 1;
    if (reusable && this.unused.length < this.keepUnused) this.unused.push(buffer);
    this.waiting = this.waiting.filter(({ user: waiter, grant }) => {
      const granted = this.tryGrant(waiter);
      if (granted) grant();
      return !granted;
    });
  }

  private tryGrant(user: PartMemoryUser): boolean {
    if (user.held > 0 && this.spare === 0) return false;
    if (user.held > 0) this.spare -= 1;
    user.held += 1;
    return true;
  }
}
