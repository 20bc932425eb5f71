import { LRUCache } from 'lru-cache';

interface Entry<Value> {
  readonly value: Value;
  readonly until: number;
}

/**
 * Remembers what was looked up for a few seconds, counted from when the lookup began, so that no answer is ever older
 * than that. Callers who want the same thing at the same time share one lookup. Failures are not remembered.
 */
export class ShortLivedCache<Value extends object> {
  private readonly entries: LRUCache<string, Entry<Value>>;
  private readonly underway = new Map<string, Promise<Value>>();

  /** @param monotonicMs a clock that nobody sets */
  constructor(
    private readonly lifeMs: number,
    maximum: number,
    private readonly monotonicMs: () => number = () => performance.now(),
  ) {
    this.entries = new LRUCache({ max: maximum });
  }

  async get(key: string, lookUp: () => Promise<Value>): Promise<Value> {
    const entry = this.entries.get(key);
    if (entry && this.monotonicMs() < entry.until) return entry.value;
    return this.underway.get(key) ?? this.start(key, lookUp);
  }

  /** What is known of `key` holds no more; also a lookup that has begun is not remembered, nor shared with later callers. */
  drop(key: string): void {
    this.entries.delete(key);
    this.underway.delete(key);
  }

  /** Drops everything. */
  clear(): void {
    this.entries.clear();
    this.underway.clear();
  }

  private start(key: string, lookUp: () => Promise<Value>): Promise<Value> {
    const until = this.monotonicMs() + this.lifeMs;
    const lookup = lookUp().then(
      (value) => {
        if (this.finish(key, lookup)) this.entries.set(key, { value, until });
        return value;
      },
      (error: unknown) => {
        this.finish(key, lookup);
        throw error;
      },
    );
    this.underway.set(key, lookup);
    return lookup;
  }

  /** False when the lookup was dropped meanwhile. */
  private finish(key: string, lookup: Promise<Value>): boolean {
    if (this.underway.get(key) !== lookup) return false;
    this.underway.delete(key);
    return true;
  }
}
