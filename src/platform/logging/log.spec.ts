import { describe, expect, it } from '@jest/globals';
import { runInRequest } from '../../common/request-context.js';
import { Log } from './log.js';

/** A log, and the lines that it wrote. */
function listening(level = 'debug') {
  const lines: Record<string, unknown>[] = [];
  const log = new Log(level, { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  return { log, lines };
}

describe('a line of the log', () => {
  it.each([
    ['password', { password: 'hunter2' }],
    ['secret', { secret: 'hunter2' }],
    ['token', { token: 'hunter2' }],
    ['authorization', { authorization: 'hunter2' }],
    ['password of something', { user: { password: 'hunter2' } }],
    ['secret of something', { credential: { secret: 'hunter2' } }],
    ['token of something', { job: { token: 'hunter2' } }],
    ['authorization of something', { request: { authorization: 'hunter2' } }],
    ['header x-auth-token', { headers: { 'x-auth-token': 'hunter2' } }],
    ['header x-subject-token', { headers: { 'x-subject-token': 'hunter2' } }],
    ['header authorization', { headers: { authorization: 'hunter2' } }],
    ['configuration of a failed call', { error: Object.assign(new Error('no'), { config: { auth: 'hunter2' } }) }],
  ])('never holds a %s', (_what, fields) => {
    const { log, lines } = listening();

    log.info('something happened', { ...fields, kept: 'as it is' });

    expect(lines).toEqual([expect.objectContaining({ msg: 'something happened', kept: 'as it is' })]);
    const text = JSON.stringify(lines);
    expect(text).toContain('[redacted]');
    expect(text).not.toContain('hunter2');
  });

  it('tells what failed', () => {
    const { log, lines } = listening();

    log.error('it failed', { error: new Error('the reason') });

    expect(lines).toEqual([
      expect.objectContaining({ level: 'error', error: expect.objectContaining({ message: 'the reason' }) }),
    ]);
  });

  it('bears the id of the request in which it is written', () => {
    const { log, lines } = listening();

    runInRequest({ requestId: 'req-1' }, () => log.info('within'));
    log.info('outside');

    expect(lines.map((line) => [line.msg, line.request_id])).toEqual([
      ['within', 'req-1'],
      ['outside', undefined],
    ]);
  });

  it('is not written below its level', () => {
    const { log, lines } = listening('warn');

    log.info('quiet');
    log.warn('loud');

    expect(lines.map(({ msg }) => msg)).toEqual(['loud']);
  });
});
