import type { Actor } from '../actor.js';
import { compilePolicyRule, type PolicyCheck, type PolicyTarget } from './policy-check.js';
import { type PolicyExpression, parsePolicyRule, PolicySyntaxError } from './policy-rule.js';

/** Rules by name, each a check string. */
export type PolicyRules = Readonly<Record<string, string>>;

/** Rules that cannot be used together, and everything that is wrong with them. */
export class PolicyRulesError extends Error {
  constructor(readonly problems: readonly PolicyProblem[]) {
    super(problems.map(({ rule, reason }) => `${rule}: ${reason}`).join('\n'));
  }
}

/** What is wrong with one rule. */
export interface PolicyProblem {
  readonly rule: string;
  readonly reason: string;
}

/**
 * Who may what: named rules, read and compiled once, so that asking costs next to nothing.
 *
 * The rules that there are stand in the code with what they say by default; an operator may have them say something else,
 * and add names of its own for its rules to refer to.
 */
export class Policy {
  private constructor(
    private readonly checks: ReadonlyMap<string, PolicyCheck>,
    private readonly changed: ReadonlySet<string>,
  ) {}

  /**
   * @param defaults every rule that is asked for
   * @param overrides rules of the operator, which go before
   * @param alsoAsked names beside the defaults that something will ask for
   * @throws PolicyRulesError a rule cannot be read, refers to none or to itself, or is one that nobody asks for
   */
  static of(defaults: PolicyRules, overrides: PolicyRules = {}, alsoAsked: Iterable<string> = []): Policy {
    const problems: PolicyProblem[] = [];
    const expressions = new Map<string, PolicyExpression>();
    for (const [rule, text] of Object.entries({ ...defaults, ...overrides })) {
      try {
        expressions.set(rule, parsePolicyRule(text));
      } catch (error) {
        if (!(error instanceof PolicySyntaxError)) throw error;
        problems.push({ rule, reason: error.message });
      }
    }
    const unreadable = new Set(problems.map(({ rule }) => rule));
    problems.push(...danglingReferences(expressions, unreadable), ...circles(expressions));
    problems.push(...unused(defaults, overrides, expressions, new Set(alsoAsked)));
    if (problems.length > 0) throw new PolicyRulesError(problems);
    const differing = Object.keys(overrides).filter((rule) => overrides[rule] !== defaults[rule]);
    return new Policy(compile(expressions), dependentOn(differing, expressions));
  }

  /**
   * Whether a rule lets an actor do it to a target. Kiln itself may everything.
   * @param target the attributes of what is acted upon, by the names that rules know
   */
  allows(rule: string, actor: Actor, target: PolicyTarget = {}): boolean {
    const check = this.checks.get(rule);
    if (!check) throw new Error(`There is no policy rule ${rule}`);
    return actor.kind === 'system' || check(actor, target);
  }

  has(rule: string): boolean {
    return this.checks.has(rule);
  }

  /** Whether a rule, or one that it refers to, says something else than by default. */
  isChanged(rule: string): boolean {
    return this.changed.has(rule);
  }
}

function compile(expressions: ReadonlyMap<string, PolicyExpression>): Map<string, PolicyCheck> {
  const checks = new Map<string, PolicyCheck>();
  const checkOf = (name: string): PolicyCheck => {
    let check = checks.get(name);
    if (!check) checks.set(name, (check = compilePolicyRule(expressions.get(name)!, checkOf)));
    return check;
  };
  for (const name of expressions.keys()) checkOf(name);
  return checks;
}

type Reference = Extract<PolicyExpression, { kind: 'rule' }>;

function referencesOf(expression: PolicyExpression): Reference[] {
  switch (expression.kind) {
    case 'rule':
      return [expression];
    case 'not':
      return referencesOf(expression.of);
    case 'all':
    case 'any':
      return expression.of.flatMap(referencesOf);
    default:
      return [];
  }
}

function danglingReferences(
  expressions: ReadonlyMap<string, PolicyExpression>,
  unreadable: ReadonlySet<string>,
): PolicyProblem[] {
  return [...expressions].flatMap(([rule, expression]) =>
    referencesOf(expression)
      .filter(({ name }) => !expressions.has(name) && !unreadable.has(name))
      .map(({ name, at }) => ({ rule, reason: `at character ${at + 1}: there is no rule '${name}'` })),
  );
}

/** Each circle once, told at the first of its rules. */
function circles(expressions: ReadonlyMap<string, PolicyExpression>): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  const done = new Set<string>();
  const walk = (name: string, path: readonly string[]): void => {
    const since = path.indexOf(name);
    if (since !== -1) {
      const circle = [...path.slice(since), name].join(' -> ');
      problems.push({ rule: name, reason: `it refers to itself: ${circle}` });
    } else if (!done.has(name)) {
      const expression = expressions.get(name);
      for (const reference of expression ? referencesOf(expression) : []) walk(reference.name, [...path, name]);
    }
    done.add(name);
  };
  for (const name of expressions.keys()) walk(name, []);
  return problems;
}

/** A name that nothing asks for is most likely misspelt, and what it was to forbid would stay allowed. */
function unused(
  defaults: PolicyRules,
  overrides: PolicyRules,
  expressions: ReadonlyMap<string, PolicyExpression>,
  asked: ReadonlySet<string>,
): PolicyProblem[] {
  const referred = new Set([...expressions.values()].flatMap(referencesOf).map(({ name }) => name));
  return Object.keys(overrides)
    .filter((rule) => !Object.hasOwn(defaults, rule) && !referred.has(rule) && !asked.has(rule))
    .map((rule) => ({ rule, reason: 'there is no such rule, and no other rule refers to it' }));
}

function dependentOn(
  differing: readonly string[],
  expressions: ReadonlyMap<string, PolicyExpression>,
): ReadonlySet<string> {
  const changed = new Set(differing);
  for (let before = -1; before !== changed.size;) {
    before = changed.size;
    for (const [rule, expression] of expressions) {
      if (referencesOf(expression).some(({ name }) => changed.has(name))) changed.add(rule);
    }
  }
  return changed;
}
