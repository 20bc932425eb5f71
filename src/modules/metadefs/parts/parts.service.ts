import type { Actor } from '../../tenancy/index.js';
import { PartExistsError, type PartNoun, PartNotFoundError, PartsQuotaExceededError } from '../metadefs.errors.js';
import type { MetadefRule } from '../metadefs.policy.js';
import { type Namespace, PARTS_MAX } from '../metadefs.types.js';
import type { NamespaceAccess } from '../namespaces/namespace-access.js';
import type { PartsRepository } from './parts.repository.js';

/** The rule for each thing that is done with one kind of part. */
export interface PartRules {
  readonly list: MetadefRule;
  readonly get: MetadefRule;
  readonly add: MetadefRule;
  readonly modify: MetadefRule;
  readonly remove: MetadefRule;
  readonly removeAll: readonly MetadefRule[];
}

/** What an author wrote, and when. */
export type Part<Attributes> = Attributes & { readonly createdAt: Date; readonly updatedAt: Date };

/** One kind of part of namespaces: read by who sees the namespace, written by administrators. */
export abstract class PartsService<Attributes extends { readonly name: string }> {
  protected abstract readonly noun: Exclude<PartNoun, 'resource type association'>;
  protected abstract readonly plural: string;
  protected abstract readonly rules: PartRules;

  constructor(
    protected readonly access: NamespaceAccess,
    protected readonly parts: PartsRepository<Attributes>,
  ) {}

  /** All of a namespace's, oldest first. @throws NamespaceNotFoundError, MetadefForbiddenError */
  async list(actor: Actor, namespace: string): Promise<Part<Attributes>[]> {
    const { id } = await this.access.get(actor, namespace, this.rules.list);
    return this.parts.list(id);
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError, PartNotFoundError */
  async get(actor: Actor, namespace: string, name: string): Promise<Part<Attributes>> {
    const { id } = await this.access.get(actor, namespace, this.rules.get);
    return this.found(await this.parts.find(id, name), namespace, name);
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError, PartExistsError, PartsQuotaExceededError */
  create(actor: Actor, namespace: string, attributes: Attributes): Promise<Part<Attributes>> {
    return this.access.change(actor, namespace, [this.rules.add], `${this.noun}_added`, async (found) => {
      const [created] = await this.addAll(found, [attributes]);
      return created!;
    });
  }

  /** Writes all of it anew. @throws NamespaceNotFoundError, MetadefForbiddenError, PartNotFoundError, PartExistsError */
  replace(actor: Actor, namespace: string, name: string, attributes: Attributes): Promise<Part<Attributes>> {
    return this.access.change(actor, namespace, [this.rules.modify], `${this.noun}_changed`, async ({ id }) => {
      const present = this.found(await this.parts.find(id, name), namespace, name);
      const replaced = await this.parts.replace(present.id, attributes);
      if (!replaced) throw new PartExistsError(this.noun, namespace, attributes.name);
      return replaced;
    });
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError, PartNotFoundError, NamespaceProtectedError */
  remove(actor: Actor, namespace: string, name: string): Promise<void> {
    return this.access.change(actor, namespace, [this.rules.remove], `${this.noun}_removed`, async (found) => {
      if (!(await this.parts.remove(found.id, name))) throw new PartNotFoundError(this.noun, namespace, name);
      this.access.checkUnprotected(found);
    });
  }

  /** @throws NamespaceNotFoundError, MetadefForbiddenError, NamespaceProtectedError */
  removeAll(actor: Actor, namespace: string): Promise<void> {
    return this.access.change(actor, namespace, this.rules.removeAll, `${this.plural}_removed`, async (found) => {
      this.access.checkUnprotected(found);
      await this.parts.removeAll(found.id);
    });
  }

  /** Adds parts to a locked namespace. @throws PartExistsError, PartsQuotaExceededError */
  async addAll(namespace: Namespace, all: readonly Attributes[]): Promise<Part<Attributes>[]> {
    if (all.length === 0) return [];
    if ((await this.parts.count(namespace.id)) + all.length > PARTS_MAX) throw new PartsQuotaExceededError(this.plural);
    const added: Part<Attributes>[] = [];
    for (const attributes of all) {
      const part = await this.parts.insert(namespace.id, attributes);
      if (!part) throw new PartExistsError(this.noun, namespace.name, attributes.name);
      added.push(part);
    }
    return added;
  }

  protected found<T>(part: T | null, namespace: string, name: string): T {
    if (part === null) throw new PartNotFoundError(this.noun, namespace, name);
    return part;
  }
}
