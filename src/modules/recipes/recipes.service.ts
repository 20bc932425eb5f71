import { Injectable, type OnModuleInit } from '@nestjs/common';
import { isUuid, newId } from '../../common/ids.js';
import { drain } from '../../common/drain.js';
import { Config } from '../../config/config.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import { Log } from '../../platform/logging/log.js';
import {
  type Artifact,
  ArtifactsService,
  type ArtifactUser,
  DeletedBytes,
  formatAddress,
  parseAddress,
} from '../artifacts/index.js';
import { Actor, Ledger, NotPermittedError } from '../tenancy/index.js';
import type { Recipe } from './recipe.entity.js';
import {
  RecipeArchiveMissingError,
  RecipeLinkFixedError,
  RecipeLinkTakenError,
  RecipeMarkerNotFoundError,
  RecipeNotFoundError,
  RecipeRestoreConflictError,
} from './recipes.errors.js';
import { RecipesRepository } from './recipes.repository.js';
import type { CreateRecipe, RecipeLink, RecipeQuery, UpdateRecipe } from './recipes.types.js';

const SWEEP_BATCH = 100;

/** Recipes of projects. Readers see their project's, members change them, administrators see and change all. */
@Injectable()
export class RecipesService implements OnModuleInit {
  constructor(
    private readonly recipes: RecipesRepository,
    private readonly artifacts: ArtifactsService,
    private readonly deletedBytes: DeletedBytes,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.artifacts.registerReferenceChecker((artifact) => this.usersOf(artifact));
    this.deletedBytes.registerKeeper({
      findOldest: (projectId) => this.recipes.findOldestUnpaid(projectId),
      purge: (actor, recipeId) => this.erase(actor, recipeId),
    });
  }

  /**
   * Adds a recipe to the actor's project, with or without its archive.
   *
   * @throws NotPermittedError, LimitExceededError
   * @throws RecipeLinkTakenError, RecipeArchiveMissingError, MalformedAddressError of the link
   */
  async create(actor: Actor, { link, ...wanted }: CreateRecipe): Promise<Recipe> {
    if (!actor.has('member')) throw new NotPermittedError('recipes:create');
    const projectId = actor.projectId!;
    return this.uow.run(async () => {
      await this.ledger.reserve(projectId, 'recipes', 1);
      const archive = link ? await this.checkLink(projectId, link) : null;
      const recipe = await this.recipes.insert({
        id: newId(),
        projectId,
        ...wanted,
        linkPath: link?.path ?? null,
        linkEtag: link?.etag ?? null,
        artifactId: archive?.id ?? null,
      });
      await this.record('recipe.created', actor, recipe);
      return recipe;
    });
  }

  /** @throws RecipeNotFoundError unknown, deleted, or another project's */
  async get(actor: Actor, recipeId: string): Promise<Recipe> {
    const recipe = isUuid(recipeId) ? await this.recipes.find(recipeId) : null;
    if (!recipe || !actor.mayRead(recipe.projectId)) throw new RecipeNotFoundError(recipeId);
    return recipe;
  }

  /** As `get`, for whoever is about to change it. @throws RecipeNotFoundError, NotPermittedError */
  async getForUpdate(actor: Actor, recipeId: string): Promise<Recipe> {
    const recipe = await this.get(actor, recipeId);
    checkModify(actor, recipe, 'recipes:update');
    return recipe;
  }

  /**
   * Every recipe of the list, read as it is consumed.
   * @param wanted how many will probably be consumed
   * @throws RecipeMarkerNotFoundError
   */
  async *stream(actor: Actor, query: RecipeQuery, wanted?: number): AsyncGenerator<Recipe> {
    checkScope(actor, query.projectId);
    yield* this.recipes.stream(query, await this.marker(query), wanted);
  }

  /**
   * Changes a recipe, as a whole or not at all. A link can be set once; the same link again changes nothing.
   *
   * @throws RecipeNotFoundError, NotPermittedError
   * @throws RecipeLinkFixedError it has another link
   * @throws RecipeLinkTakenError, RecipeArchiveMissingError, MalformedAddressError of a new link
   */
  update(actor: Actor, recipeId: string, change: UpdateRecipe): Promise<Recipe> {
    return this.uow.run(async () => {
      const recipe = await this.locked(actor, recipeId, 'recipes:update');
      recipe.arch = change.arch ?? recipe.arch;
      recipe.requireDkms = change.requireDkms ?? recipe.requireDkms;
      recipe.templateDictionary = change.templateDictionary ?? recipe.templateDictionary;
      if (change.link) await this.setLink(recipe, change.link);
      const saved = await this.recipes.save(recipe);
      await this.record('recipe.updated', actor, saved);
      return saved;
    });
  }

  /**
   * Deletes a recipe softly; its archive moves below `deleted/` unless something else alive needs it where it is. Jobs
   * under way have the archive and go on.
   *
   * @throws RecipeNotFoundError, NotPermittedError
   */
  delete(actor: Actor, recipeId: string): Promise<void> {
    return this.uow.run(async () => {
      const recipe = await this.locked(actor, recipeId, 'recipes:delete');
      await this.recipes.markDeleted(recipe.id);
      if (recipe.artifactId !== null) {
        const archive = await this.artifacts.moveToDeleted(recipe.artifactId);
        const moved = formatAddress(archive);
        if (moved !== recipe.linkPath) await this.recipes.changeLink(recipe.id, moved, archive.etag);
      }
      await this.ledger.release(recipe.projectId, 'recipes', 1);
      await this.record('recipe.deleted', actor, recipe);
      if (this.config.deletedRetentionMs === 0) await this.erase(actor, recipe.id);
      await this.deletedBytes.purgeSurplusAfterCommit(actor, recipe.projectId);
    });
  }

  /**
   * Deletes a recipe at once and for good.
   * @param cascade whether its archive goes too, unless something else refers to it; otherwise that stays where it is
   * @throws RecipeNotFoundError, NotPermittedError
   */
  deleteForGood(actor: Actor, recipeId: string, { cascade }: { cascade: boolean }): Promise<void> {
    return this.uow.run(async () => {
      if (!cascade) await this.recipes.forgetArchive((await this.locked(actor, recipeId, 'recipes:delete')).id);
      await this.delete(actor, recipeId);
      await this.erase(actor, recipeId);
    });
  }

  /** Deletes every recipe of the actor's project softly, each on its own. @throws NotPermittedError */
  async deleteAll(actor: Actor): Promise<void> {
    if (!actor.has('member')) throw new NotPermittedError('recipes:delete');
    const everything = { projectId: actor.projectId, filter: {}, sort: [] };
    for await (const recipe of this.recipes.stream(everything, null)) {
      await this.delete(actor, recipe.id).catch(ignoreGone);
    }
  }

  /** @throws RecipeNotFoundError unknown, not deleted, purged, or another project's */
  async getDeleted(actor: Actor, recipeId: string): Promise<Recipe> {
    const recipe = isUuid(recipeId) ? await this.recipes.findDeleted(recipeId) : null;
    if (!recipe || !actor.mayRead(recipe.projectId)) throw new RecipeNotFoundError(recipeId);
    return recipe;
  }

  /** As `getDeleted`, for whoever is about to restore or purge it. @throws RecipeNotFoundError, NotPermittedError */
  async getDeletedForChange(actor: Actor, recipeId: string): Promise<Recipe> {
    const recipe = await this.getDeleted(actor, recipeId);
    checkModify(actor, recipe, 'recipes:restore');
    return recipe;
  }

  /**
   * Brings a deleted recipe back as it was, with its archive at the old address, and counts it again.
   *
   * @throws RecipeNotFoundError, NotPermittedError
   * @throws LimitExceededError there is no room for it any more
   * @throws RecipeRestoreConflictError another recipe has its link now
   * @throws AddressTakenError something else lies at its address now
   */
  restore(actor: Actor, recipeId: string): Promise<Recipe> {
    return this.uow.run(async () => {
      const recipe = await this.lockedDeleted(actor, recipeId, 'recipes:restore');
      const before = recipe.artifactId;
      if (before !== null) await this.bringBack(recipe, before);
      if (recipe.linkPath !== null && (await this.recipes.linkIsTaken(recipe.projectId, recipe.linkPath))) {
        throw new RecipeRestoreConflictError(recipeId, recipe.linkPath);
      }
      const restored = await this.recipes.restore(recipe);
      if (before !== null && before !== restored.artifactId) await this.artifacts.removeUnused(before);
      await this.ledger.reserve(recipe.projectId, 'recipes', 1);
      await this.record('recipe.restored', actor, restored);
      return restored;
    });
  }

  /**
   * Removes a deleted recipe for good, and its archive unless something else refers to it. The bytes are gone when this
   * returns.
   * @throws RecipeNotFoundError, NotPermittedError
   */
  purge(actor: Actor, recipeId: string): Promise<void> {
    return this.uow.run(async () => {
      await this.lockedDeleted(actor, recipeId, 'recipes:purge');
      await this.erase(actor, recipeId);
    });
  }

  /** What lies at the recipe's link; null when it has none. */
  async archive(recipe: Recipe): Promise<Artifact | null> {
    return recipe.artifactId === null ? null : this.artifacts.getArtifact(recipe.artifactId);
  }

  private async locked(actor: Actor, recipeId: string, action: string): Promise<Recipe> {
    const recipe = isUuid(recipeId) ? await this.recipes.lock(recipeId) : null;
    if (!recipe || !actor.mayRead(recipe.projectId)) throw new RecipeNotFoundError(recipeId);
    checkModify(actor, recipe, action);
    return recipe;
  }

  private async lockedDeleted(actor: Actor, recipeId: string, action: string): Promise<Recipe> {
    const recipe = isUuid(recipeId) ? await this.recipes.lockDeleted(recipeId) : null;
    if (!recipe || !actor.mayRead(recipe.projectId)) throw new RecipeNotFoundError(recipeId);
    checkModify(actor, recipe, action);
    return recipe;
  }

  /** A link that no delete has moved stays as it is. */
  private async bringBack(recipe: Recipe, artifactId: string): Promise<void> {
    const archive = await this.artifacts.moveBack(artifactId);
    const path = formatAddress(archive);
    if (path !== recipe.linkPath) recipe.linkEtag = archive.etag;
    recipe.linkPath = path;
    recipe.artifactId = archive.id;
  }

  private async setLink(recipe: Recipe, link: RecipeLink): Promise<void> {
    if (recipe.linkPath !== null) {
      if (recipe.linkPath === link.path && recipe.linkEtag === link.etag) return;
      throw new RecipeLinkFixedError(recipe.id, recipe.linkPath);
    }
    const archive = await this.checkLink(recipe.projectId, link);
    recipe.linkPath = link.path;
    recipe.linkEtag = link.etag;
    recipe.artifactId = archive.id;
  }

  private async checkLink(projectId: string, { path }: RecipeLink): Promise<Artifact> {
    if (await this.recipes.linkIsTaken(projectId, path)) throw new RecipeLinkTakenError(path);
    const archive = await this.artifacts.hold(projectId, parseAddress(path));
    if (!archive) throw new RecipeArchiveMissingError(path);
    return archive;
  }

  /** Purges what was deleted long enough ago; any number of processes may do so at once. Returns how many. */
  async sweep(): Promise<number> {
    const { deletedRetentionMs } = this.config;
    if (deletedRetentionMs === null) return 0;
    const actor = Actor.system('retention');
    return drain(
      SWEEP_BATCH,
      (limit) => this.recipes.findExpired(deletedRetentionMs, limit),
      (recipeId) => this.erase(actor, recipeId),
      (recipeId, error) => this.log.error('a deleted recipe could not be purged', { error, recipe_id: recipeId }),
    );
  }

  /** Removes a deleted recipe for good; nothing happens if it is not deleted. */
  private erase(actor: Actor, recipeId: string): Promise<void> {
    return this.uow.run(async () => {
      const recipe = await this.recipes.purge(recipeId);
      if (!recipe) return;
      if (recipe.artifactId !== null) await this.artifacts.removeUnused(recipe.artifactId);
      await this.record('recipe.purged', actor, recipe);
    });
  }

  private async marker({ marker, projectId, sort }: RecipeQuery): Promise<Recipe | null> {
    if (marker === undefined) return null;
    const recipe = isUuid(marker) ? await this.recipes.findEvenDeleted(marker) : null;
    // One that was restored meanwhile has no place in the order of deletion.
    const placed = recipe && (recipe.deletedAt !== null || sort.every(({ key }) => key !== 'deleted'));
    if (!placed || (projectId !== null && recipe.projectId !== projectId)) throw new RecipeMarkerNotFoundError(marker);
    return recipe;
  }

  private async usersOf(artifact: Artifact): Promise<ArtifactUser[]> {
    const recipes = await this.recipes.findByArtifact(artifact.id);
    return recipes.map(({ id, deletedAt }) => ({ noun: 'recipe', id, live: deletedAt === null }));
  }

  private record(kind: string, actor: Actor, recipe: Recipe): Promise<void> {
    const { id, projectId, name, linkPath } = recipe;
    return this.outbox.record({
      kind,
      noun: 'recipe',
      nounId: id,
      projectId,
      actorId: actor.id,
      data: { name, link: linkPath },
    });
  }
}

function checkModify(actor: Actor, recipe: Recipe, action: string): void {
  if (!actor.mayChange(recipe.projectId)) throw new NotPermittedError(action);
}

function checkScope(actor: Actor, projectId: string | null): void {
  if (!actor.mayRead(projectId)) throw new NotPermittedError('recipes:list');
}

/** Somebody else deleted it first. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof RecipeNotFoundError)) throw error;
}
