/** The first `count` of a stream, or all if there are fewer; the rest is not read. */
export async function take<T>(stream: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const one of stream) if (taken.push(one) >= count) break;
  return taken;
}
