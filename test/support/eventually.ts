/**
 * Waits until a condition holds: resolves with what `probe` returns once it neither throws nor returns false. The last
 * look begins behind the time it may take, so that a machine that stood still meanwhile is no reason to give up.
 */
export async function eventually<T>(probe: () => T | Promise<T>, withinMs = 60_000): Promise<Exclude<T, false>> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const isLast = Date.now() > deadline;
    let failure: unknown = new Error('the condition stayed false');
    try {
      const found = await probe();
      if (found !== false) return found as Exclude<T, false>;
    } catch (error) {
      failure = error;
    }
    if (isLast) throw failure;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
