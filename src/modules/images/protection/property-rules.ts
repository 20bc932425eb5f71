import { RE2JS } from 're2js';

export const PROPERTY_ACTIONS = ['create', 'read', 'update', 'delete'] as const;
export type PropertyAction = (typeof PROPERTY_ACTIONS)[number];

/** How the words behind an action are meant: as roles, or each as the name of one policy rule. */
export type PropertyRuleFormat = 'roles' | 'policies';

/** Who may do what with the properties whose names match. */
export interface PropertyRule {
  readonly line: number;
  /** Whether a name matches, anywhere unless the expression says otherwise. */
  readonly matches: (name: string) => boolean;
  /** Words behind each action; none: nobody. */
  readonly allowed: Readonly<Record<PropertyAction, readonly string[]>>;
}

/** The rules of a file in its order, as far as it could be read, and everything that is wrong with it. */
export interface PropertyRules {
  readonly rules: readonly PropertyRule[];
  readonly problems: readonly string[];
}

/**
 * Reads a protection file in the form of the reference: sections are regular expressions over names, and below each
 * stand `create`, `read`, `update` and `delete` with a comma list. Never throws.
 *
 * Packages for this form take a dot in a section's name for nesting, which expressions are full of. The expressions are
 * RE2's, which takes time in proportion to the name however they are written, so no name and no file can stop a process.
 */
export function readPropertyRules(text: string, format: PropertyRuleFormat): PropertyRules {
  const problems: string[] = [];
  const rules: { line: number; matches: (name: string) => boolean; allowed: Record<PropertyAction, string[]> }[] = [];
  const seen = new Set<string>();
  let stated = new Set<string>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    const at = `line ${index + 1}`;
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const section = /^\[(.+)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      if (seen.has(section)) problems.push(`${at}: [${section}] stands here for the second time`);
      seen.add(section);
      stated = new Set();
      const matches = compile(section, (reason) => problems.push(`${at}: [${section}]: ${reason}`));
      rules.push({ line: index + 1, matches, allowed: { create: [], read: [], update: [], delete: [] } });
      continue;
    }
    const [, key = '', value = ''] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(line) ?? [];
    const action = PROPERTY_ACTIONS.find((each) => each === key.toLowerCase());
    const rule = rules.at(-1);
    if (!rule) problems.push(`${at}: a section [expression] must come first`);
    else if (!action) problems.push(`${at}: must be one of ${PROPERTY_ACTIONS.join(', ')}, followed by =`);
    else if (stated.has(action)) problems.push(`${at}: ${action} stands here for the second time`);
    else {
      stated.add(action);
      rule.allowed[action] = value
        .split(',')
        .map((word) => word.trim())
        .filter(Boolean);
      const fault = faultOf(rule.allowed[action], format);
      if (fault) problems.push(`${at}: ${action}: ${fault}`);
    }
  }
  return { rules, problems };
}

function compile(expression: string, refuse: (reason: string) => void): (name: string) => boolean {
  try {
    const compiled = RE2JS.compile(expression);
    return (name) => compiled.matcher(name).find();
  } catch (error) {
    refuse((error as Error).message);
    return () => false;
  }
}

function faultOf(words: readonly string[], format: PropertyRuleFormat): string | null {
  if (words.includes('@') && words.includes('!')) return '@ (everybody) and ! (nobody) exclude each other';
  if (format === 'policies' && words.length > 1)
    return 'one policy rule is named here; combine rules in the policy file';
  return null;
}
