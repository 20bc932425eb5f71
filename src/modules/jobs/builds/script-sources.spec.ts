import { describe, expect, it } from '@jest/globals';
import type { EgressClient } from '../../../platform/egress/egress-client.js';
import type { ArtifactsService } from '../../artifacts/index.js';
import type { Job } from '../job.entity.js';
import { readDataUrl, ScriptSources } from './script-sources.js';

describe('a script in its own address', () => {
  it.each([
    ['data:;base64,ZWNobyBoaQ==', 'echo hi'],
    ['data:text/x-shellscript;charset=utf-8;base64,ZWNobyBoaQ==', 'echo hi'],
    ['data:,echo%20hi,%20you', 'echo hi, you'],
    ['data:text/plain,', ''],
  ])('is read from %s', (url, text) => {
    expect(readDataUrl(url)?.toString()).toBe(text);
  });

  it.each(['data:echo', 'data:,%zz', 'https://example.org/,x'])('is none: %s', (url) => {
    expect(readDataUrl(url)).toBeNull();
  });

  it('is read whatever the case of its scheme', async () => {
    // Nothing is asked for what is in the address itself.
    const sources = new ScriptSources({} as ArtifactsService, {} as EgressClient);
    const scripted = { updateOsPackages: false, scripts: [{ url: 'Data:,echo%20Hi' }] };

    const { items } = await sources.read({} as Job, scripted, new AbortController().signal);

    expect(items).toEqual([{ name: 'script 1', text: 'echo Hi' }]);
  });
});
