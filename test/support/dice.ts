/** Numbers that only look random: the same seed throws the same ones on every machine. */
export class Dice {
  constructor(private state: number) {}

  /** From 0 up to, not including, `below`. */
  number(below: number): number {
    // Mulberry32, a generator of one word of state.
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  chance(percent: number): boolean {
    return this.number(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.number(list.length)]!;
  }

  /** Some of them, in their order. */
  some<T>(list: readonly T[], percent = 30): T[] {
    return list.filter(() => this.chance(percent));
  }

  /** All of them, in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const order = [...list];
    for (let at = order.length - 1; at > 0; at -= 1) {
      const other = this.number(at + 1);
      [order[at], order[other]] = [order[other]!, order[at]!];
    }
    return order;
  }

  /** One of them, by weight. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.number(list.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of list) {
      if (left < weight) return value;
      left -= weight;
    }
    throw new Error('weights must be positive');
  }

  uuid(): string {
    const hex = Array.from({ length: 32 }, () => this.number(16).toString(16)).join('');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.number(256)));
  }
}
