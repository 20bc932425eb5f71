import { describe, expect, it } from '@jest/globals';
import { loadConfig } from './config.js';
import { parseExecutors } from './executor-rules.js';

describe('parseExecutors', () => {
  it('takes rules in their order, as they are written', () => {
    const rules = [
      { executor: 'kubernetes', arch: 'aarch64', nodeSelector: { disk: 'fast' }, tolerations: [{ key: 'builds' }] },
      { executor: 'local', maxSizeGib: 20 },
    ];

    expect(parseExecutors(JSON.stringify(rules))).toEqual(rules);
  });

  it.each([
    ['nonsense', 'must be a JSON list of rules'],
    ['{}', 'must be a JSON list with at least one rule'],
    ['[]', 'must be a JSON list with at least one rule'],
    ['["local"]', 'rule 1 must be an object'],
    ['[{"executor": "local"}, {"executor": "nomad"}]', 'rule 2: executor must be local or kubernetes'],
    ['[{"executor": "local", "image": "x"}]', 'rule 1: a rule for local has no key image'],
    ['[{"executor": "local", "arch": "riscv"}]', 'rule 1: arch must be x86_64 or aarch64'],
    ['[{"executor": "local", "maxSizeGib": 0}]', 'rule 1: maxSizeGib must be a whole number above 0'],
    ['[{"executor": "kubernetes", "cpuLimit": "lots"}]', 'rule 1: cpuLimit must be a text such as 500m or 2'],
    ['[{"executor": "kubernetes", "nodeSelector": {"a": 1}}]', 'rule 1: nodeSelector must be an object of texts'],
    ['[{"executor": "kubernetes", "tolerations": [1]}]', 'rule 1: tolerations must be a list of objects'],
    ['[{"executor": "kubernetes", "image": ""}]', 'rule 1: image must be a text'],
  ])('refuses %s', (text, problem) => {
    expect(() => parseExecutors(text)).toThrow(problem);
  });

  it('needs an address of the API once pods are to reach it', () => {
    const executors = { KILN_EXECUTORS: '[{"executor": "kubernetes"}]' };

    expect(() => loadConfig(executors)).toThrow(/KILN_KUBERNETES_API_URL: must be set/);
    expect(loadConfig({ ...executors, KILN_PUBLIC_URL: 'http://kiln' }).config.kubernetes.apiUrl).toBe('http://kiln');
  });
});
