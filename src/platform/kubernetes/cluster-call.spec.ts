import { describe, expect, it } from '@jest/globals';
import { ask } from './cluster-call.js';
import { ClusterRefusedError, ClusterUnavailableError } from './cluster.errors.js';

const patience = { firstPauseMs: 1, longestPauseMs: 4, giveUpMs: 60 };

/** Fails with each of these in turn, then answers. */
function server(...failures: unknown[]) {
  const left = [...failures];
  let calls = 0;
  return {
    calls: () => calls,
    call: async () => {
      calls += 1;
      if (left.length > 0) throw left.shift();
      return 'done';
    },
  };
}

const answer = (code: number, message = 'so it is', headers = {}, reason?: string) => ({
  code,
  body: JSON.stringify({ message, reason }),
  headers,
});

describe('ask', () => {
  it('goes on while the server is busy, broken or away', async () => {
    const { call, calls } = server(answer(429), answer(503), answer(500), new TypeError('fetch failed'));

    await expect(ask('trying', call, { patience: { ...patience, giveUpMs: 10_000 } })).resolves.toBe('done');
    expect(calls()).toBe(5);
  });

  it('waits as long as the server asks for', async () => {
    const { call } = server(answer(429, 'slowly', { 'retry-after': '1' }));

    await expect(ask('trying', call, { patience })).rejects.toThrow(ClusterUnavailableError);
  });

  it('says what the server refuses, in its words', async () => {
    const { call, calls } = server(answer(403, 'jobs.batch is forbidden'));

    const failure = ask('creating Job x', call, { patience });

    await expect(failure).rejects.toThrow(ClusterRefusedError);
    await expect(failure).rejects.toThrow('Kubernetes refuses creating Job x (jobs.batch is forbidden)');
    expect(calls()).toBe(1);
  });

  it('takes an expected refusal for an answer', async () => {
    await expect(ask('reading', server(answer(404)).call, { patience, expected: [404] })).resolves.toBeNull();
  });

  it('tells apart what has one code by its reason', async () => {
    const refused = (reason: string) => server(answer(409, 'it is so', {}, reason));
    const options = { patience, expected: ['AlreadyExists'], passing: [409] };
    const conflict = refused('Conflict');

    await expect(ask('creating', refused('AlreadyExists').call, options)).resolves.toBeNull();
    await expect(ask('creating', conflict.call, options)).resolves.toBe('done');
    expect(conflict.calls()).toBe(2);
  });

  it('gives up after its patience, and at once when nobody wants it any more', async () => {
    const busy = server(...Array.from({ length: 100 }, () => answer(503))).call;
    const stopped = new AbortController();
    stopped.abort(new Error('cancelled'));

    await expect(ask('trying', busy, { patience })).rejects.toThrow('Kubernetes is not available for trying');
    await expect(ask('trying', busy, { patience, signal: stopped.signal })).rejects.toThrow('cancelled');
  });
});
