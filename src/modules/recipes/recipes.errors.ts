import { ConflictError, InvalidError, NotFoundError, UnprocessableError } from '../../common/errors.js';

/** No recipe of that id, or none that the actor may see. */
export class RecipeNotFoundError extends NotFoundError {
  override readonly code = 'recipes.not_found';
  constructor(recipeId: string) {
    super(`No recipe with id ${recipeId}`, { recipeId });
  }
}

/** Another live recipe of the project has that archive. */
export class RecipeLinkTakenError extends UnprocessableError {
  override readonly code = 'recipes.link_taken';
  constructor(path: string) {
    super(`The link path ${path} is used by another recipe`, { path });
  }
}

/** Nothing lies where the recipe's archive should be. */
export class RecipeArchiveMissingError extends UnprocessableError {
  override readonly code = 'recipes.archive_missing';
  constructor(path: string) {
    super(`There is no object at ${path}`, { path });
  }
}

/** A recipe keeps the archive it has. */
export class RecipeLinkFixedError extends ConflictError {
  override readonly code = 'recipes.link_fixed';
  constructor(recipeId: string, path: string) {
    super(`Recipe ${recipeId} has the link ${path} already, and it cannot be changed`, { recipeId, path });
  }
}

/** What has come to be since the recipe was deleted leaves no room for it. */
export class RecipeRestoreConflictError extends ConflictError {
  override readonly code = 'recipes.restore_conflict';
  constructor(recipeId: string, path: string) {
    super(`Recipe ${recipeId} cannot come back: the link path ${path} is used by another recipe`, { recipeId, path });
  }
}

/** A page cannot start behind a recipe that is not there. */
export class RecipeMarkerNotFoundError extends InvalidError {
  override readonly code = 'recipes.marker_not_found';
  constructor(marker: string) {
    super(`The marker ${marker} is no recipe of this list`, { marker });
  }
}
