import type { Actor, Role } from '../actor.js';
import type { Credential, PolicyExpression, Template } from './policy-rule.js';

/** Attributes of what is acted upon, by the names that rules know. One that is absent matches nothing; null is `None`. */
export type PolicyTarget = Readonly<Record<string, unknown>>;

/** A rule that is ready to be asked. */
export type PolicyCheck = (actor: Actor, target: PolicyTarget) => boolean;

const CREDENTIAL: Readonly<Record<Credential, (actor: Actor) => string | null>> = {
  user_id: (actor) => actor.id,
  user_name: (actor) => actor.name,
  project_id: (actor) => actor.projectId,
  project_name: (actor) => actor.projectName,
};

/** @param checkOf another rule, by name; there are no circles */
export function compilePolicyRule(expression: PolicyExpression, checkOf: (name: string) => PolicyCheck): PolicyCheck {
  switch (expression.kind) {
    case 'always':
      return () => true;
    case 'never':
      return () => false;
    case 'not': {
      const check = compilePolicyRule(expression.of, checkOf);
      return (actor, target) => !check(actor, target);
    }
    case 'all': {
      const checks = expression.of.map((part) => compilePolicyRule(part, checkOf));
      return (actor, target) => checks.every((check) => check(actor, target));
    }
    case 'any': {
      const checks = expression.of.map((part) => compilePolicyRule(part, checkOf));
      return (actor, target) => checks.some((check) => check(actor, target));
    }
    case 'rule':
      return checkOf(expression.name);
    case 'role': {
      const wanted = compileTemplate(expression.role);
      return (actor, target) => hasRole(actor, wanted(target)?.toLowerCase());
    }
    case 'credential': {
      const read = CREDENTIAL[expression.credential];
      const wanted = compileTemplate(expression.value);
      return (actor, target) => {
        const value = read(actor);
        // No project is not a project that everybody without one shares.
        return value !== null && value === wanted(target);
      };
    }
    case 'literal': {
      const wanted = compileTemplate(expression.value);
      return (_actor, target) => wanted(target) === expression.literal;
    }
  }
}

function hasRole(actor: Actor, wanted: string | undefined): boolean {
  if (wanted === undefined) return false;
  // Roles are compared without regard to case; those of Kiln's own are written small.
  return actor.roles.has(wanted as Role) || [...actor.roles].some((role) => role.toLowerCase() === wanted);
}

/** Undefined where the target lacks an attribute, which equals nothing. */
function compileTemplate(template: Template): (target: PolicyTarget) => string | undefined {
  if (template.length === 1) return () => template[0];
  if (template.length === 3 && template[0] === '' && template[2] === '') {
    const name = template[1]!;
    return (target) => textOf(target, name);
  }
  return (target) => {
    let text = '';
    for (const [index, part] of template.entries()) {
      const piece = index % 2 === 0 ? part : textOf(target, part);
      if (piece === undefined) return undefined;
      text += piece;
    }
    return text;
  };
}

/** As Python writes them, which is what rules are written for. */
function textOf(target: PolicyTarget, name: string): string | undefined {
  const value = Object.hasOwn(target, name) ? target[name] : undefined;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}
