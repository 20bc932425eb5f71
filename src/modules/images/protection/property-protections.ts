import { LRUCache } from 'lru-cache';
import type { Actor, Policy } from '../../tenancy/index.js';
import { Image } from '../image.entity.js';
import { isReservedProperty } from '../image-properties.js';
import { PropertyProtectedError } from '../images.errors.js';
import type { ImageFilter, ImageProperties, UpdateImage } from '../images.types.js';
import type { PropertyAction, PropertyRule, PropertyRuleFormat } from './property-rules.js';

const REMEMBERED_NAMES = 10_000;

/**
 * Which properties an operator keeps to some: by the first rule whose expression matches the name, and none to a name that
 * no rule matches. Off while there are no rules. What an actor may not read does not exist for it: it is in no answer, no
 * filter finds it, and it outlives whatever the actor replaces.
 *
 * Properties that Kiln writes itself are not subject to rules.
 *
 * @see Image API v2, property protections
 */
export class PropertyProtections {
  private readonly ruleOf = new LRUCache<string, { readonly rule: PropertyRule | null }>({ max: REMEMBERED_NAMES });

  constructor(
    private readonly rules: readonly PropertyRule[],
    private readonly format: PropertyRuleFormat,
    private readonly policy: Policy,
  ) {}

  /** An image as the actor may see it. */
  shownTo(actor: Actor, image: Image): Image {
    if (this.isOff(actor)) return image;
    const shown = Object.entries(image.properties).filter(([name]) => this.may(actor, 'read', name));
    if (shown.length === Object.keys(image.properties).length) return image;
    const architecture = this.may(actor, 'read', 'architecture') ? image.architecture : null;
    return Object.assign(new Image(), image, { properties: Object.fromEntries(shown), architecture });
  }

  /** Whether a filter asks for nothing that the actor may not read. Otherwise it could be guessed value by value. */
  mayFilter(actor: Actor, filter: Pick<ImageFilter, 'properties' | 'architectures'>): boolean {
    if (this.isOff(actor)) return true;
    const names = Object.keys(filter.properties ?? {});
    if (filter.architectures) names.push('architecture');
    return names.every((name) => this.may(actor, 'read', name));
  }

  /** @throws PropertyProtectedError */
  checkCreate(actor: Actor, properties: ImageProperties): void {
    if (this.isOff(actor)) return;
    Object.keys(properties).forEach((name) => this.check(actor, 'create', name));
  }

  /**
   * The part of a change that concerns what the actor sees: what it does not see, it does not remove.
   * @throws PropertyProtectedError it adds, changes or removes what it may not; or it may write, but not read
   */
  checkChange(actor: Actor, properties: ImageProperties, change: UpdateImage): UpdateImage {
    const { setProperties, removeProperties } = change;
    if (this.isOff(actor) || (!setProperties && !removeProperties)) return change;
    for (const name of Object.keys(setProperties ?? {})) {
      this.check(actor, Object.hasOwn(properties, name) ? 'update' : 'create', name);
    }
    const removed = (removeProperties ?? []).filter((name) => this.may(actor, 'read', name));
    removed.filter((name) => Object.hasOwn(properties, name)).forEach((name) => this.check(actor, 'delete', name));
    return { ...change, removeProperties: removed };
  }

  private check(actor: Actor, action: PropertyAction, name: string): void {
    // Without reading there is no writing, or the answer would tell whether the property is there.
    if (!this.may(actor, action, name) || !this.may(actor, 'read', name)) throw new PropertyProtectedError(name);
  }

  private isOff(actor: Actor): boolean {
    return this.rules.length === 0 || actor.kind === 'system';
  }

  private may(actor: Actor, action: PropertyAction, name: string): boolean {
    if (isReservedProperty(name)) return true;
    const words = this.findRule(name)?.allowed[action] ?? [];
    if (words.includes('!')) return false;
    if (words.includes('@')) return true;
    if (this.format === 'policies') return words.some((rule) => this.policy.allows(rule, actor, targetOf(actor)));
    const roles = new Set([...actor.roles].map((role) => role.toLowerCase()));
    return words.some((word) => roles.has(word.toLowerCase()));
  }

  private findRule(name: string): PropertyRule | null {
    let found = this.ruleOf.get(name);
    if (!found) {
      found = { rule: this.rules.find((rule) => rule.matches(name)) ?? null };
      this.ruleOf.set(name, found);
    }
    return found.rule;
  }
}

/** Rules on properties are about who asks. */
function targetOf(actor: Actor) {
  return { project_id: actor.projectId, owner: actor.projectId, user_id: actor.id };
}
