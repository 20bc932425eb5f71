import { readFileSync } from 'node:fs';
import { isScalar, LineCounter, parseDocument, isMap } from 'yaml';
import { ConfigError } from '../../../config/config.js';
import { Policy, type PolicyRules, PolicyRulesError } from './policy.js';

/** A policy file as far as it could be read, and everything that is wrong with it so far. */
export interface PolicyFile {
  readonly rules: PolicyRules;
  /** Where each rule stands, from 1. */
  readonly lines: ReadonlyMap<string, number>;
  readonly problems: readonly string[];
}

/**
 * The rules in force: the defaults, and before them what the file says.
 *
 * @param path a YAML or JSON file of names and check strings; undefined: none
 * @throws ConfigError naming every problem of the file with its line
 */
export function loadPolicy(defaults: PolicyRules, path: string | undefined, alsoAsked: Iterable<string> = []): Policy {
  if (path === undefined) return Policy.of(defaults, {}, alsoAsked);
  const { rules, lines, problems } = readPolicyFile(readText(path));
  const told = problems.map((problem) => `${path}: ${problem}`);
  try {
    const policy = Policy.of(defaults, rules, alsoAsked);
    if (told.length === 0) return policy;
  } catch (error) {
    if (!(error instanceof PolicyRulesError)) throw error;
    for (const { rule, reason } of error.problems) {
      const line = lines.get(rule);
      told.push(`${path}: ${line === undefined ? '' : `line ${line}: `}${rule}: ${reason}`);
    }
  }
  throw new ConfigError(told);
}

/** Reads the text of a policy file; never throws. */
function readPolicyFile(text: string): PolicyFile {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const lineOf = (offset: number): number => counter.linePos(offset).line;
  const problems = [...document.errors, ...document.warnings].map(
    (fault) => `line ${lineOf(fault.pos[0])}: ${fault.message}`,
  );
  const rules: Record<string, string> = {};
  const lines = new Map<string, number>();
  // A file of nothing but comments changes nothing.
  if (problems.length > 0 || document.contents === null) return { rules, lines, problems };
  if (!isMap(document.contents)) return { rules, lines, problems: ['must be a map of rule names to check strings'] };
  for (const { key, value } of document.contents.items) {
    const [name, check] = [isScalar(key) ? key.value : undefined, isScalar(value) ? value.value : undefined];
    const line = lineOf((isScalar(key) && key.range?.[0]) || 0);
    if (typeof name !== 'string') problems.push(`line ${line}: the name of a rule must be a text`);
    else if (typeof check !== 'string')
      problems.push(`line ${line}: ${name}: must be a check string; put it in quotes`);
    else {
      rules[name] = check;
      lines.set(name, line);
    }
  }
  return { rules, lines, problems };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([`${path}: cannot be read: ${(error as Error).message}`]);
  }
}
