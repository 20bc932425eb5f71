/** Which builds a rule is for, where they run, and what of their pods depends on it. The first rule that fits decides. */
export interface ExecutorRule {
  readonly executor: 'local' | 'kubernetes';
  /** Absent: any. */
  readonly arch?: 'x86_64' | 'aarch64';
  /** Largest build environment (`build_env_size`) the rule is for; absent: any. */
  readonly maxSizeGib?: number;
  /** Of the builder, where it is another than KILN_KUBERNETES_IMAGE. */
  readonly image?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: ReadonlyArray<Readonly<Record<string, string | number>>>;
  readonly runtimeClass?: string;
  readonly cpuRequest?: string;
  readonly cpuLimit?: string;
}

const RULE_KEYS = {
  local: ['executor', 'arch', 'maxSizeGib'],
  kubernetes: [
    'executor',
    'arch',
    'maxSizeGib',
    'image',
    'nodeSelector',
    'tolerations',
    'runtimeClass',
    'cpuRequest',
    'cpuLimit',
  ],
} as const;

/** As Kubernetes writes amounts of processors. */
const CPU = /^\d+(\.\d+|m)?$/;

/** @throws Error naming the rule and what is wrong with it */
export function parseExecutors(value: string): ExecutorRule[] {
  let rules: unknown;
  try {
    rules = JSON.parse(value);
  } catch {
    throw new Error('must be a JSON list of rules');
  }
  if (!Array.isArray(rules) || rules.length === 0) throw new Error('must be a JSON list with at least one rule');
  return rules.map((rule: unknown, index) => parseRule(rule, `rule ${index + 1}`));
}

function parseRule(found: unknown, at: string): ExecutorRule {
  if (!isPlainObject(found)) throw new Error(`${at} must be an object`);
  const rule = found;
  if (rule.executor !== 'local' && rule.executor !== 'kubernetes') {
    throw new Error(`${at}: executor must be local or kubernetes`);
  }
  const unknown = Object.keys(rule).find(
    (key) => !(RULE_KEYS[rule.executor as ExecutorRule['executor']] as readonly string[]).includes(key),
  );
  if (unknown !== undefined) throw new Error(`${at}: a rule for ${rule.executor} has no key ${unknown}`);
  const { arch, maxSizeGib, nodeSelector, tolerations } = rule;
  if (arch !== undefined && arch !== 'x86_64' && arch !== 'aarch64') {
    throw new Error(`${at}: arch must be x86_64 or aarch64`);
  }
  if (maxSizeGib !== undefined && !(Number.isInteger(maxSizeGib) && (maxSizeGib as number) > 0)) {
    throw new Error(`${at}: maxSizeGib must be a whole number above 0`);
  }
  for (const key of ['image', 'runtimeClass']) {
    if (rule[key] !== undefined && (typeof rule[key] !== 'string' || rule[key] === '')) {
      throw new Error(`${at}: ${key} must be a text`);
    }
  }
  for (const key of ['cpuRequest', 'cpuLimit']) {
    if (rule[key] !== undefined && !(typeof rule[key] === 'string' && CPU.test(rule[key]))) {
      throw new Error(`${at}: ${key} must be a text such as 500m or 2`);
    }
  }
  if (nodeSelector !== undefined && !(isPlainObject(nodeSelector) && hasOnly(nodeSelector, 'string'))) {
    throw new Error(`${at}: nodeSelector must be an object of texts`);
  }
  if (
    tolerations !== undefined &&
    !(Array.isArray(tolerations) && tolerations.every((one) => isPlainObject(one) && hasOnly(one, 'string', 'number')))
  ) {
    throw new Error(`${at}: tolerations must be a list of objects`);
  }
  return rule as unknown as ExecutorRule;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasOnly(object: Record<string, unknown>, ...types: string[]): boolean {
  return Object.values(object).every((value) => types.includes(typeof value));
}
