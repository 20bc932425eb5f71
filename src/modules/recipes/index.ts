export {
  Recipe,
  RECIPE_ARCHS,
  RECIPE_TYPES,
  type RecipeArch,
  type RecipeType,
  type TemplateValue,
} from './recipe.entity.js';
export {
  RecipeArchiveMissingError,
  RecipeLinkFixedError,
  RecipeLinkTakenError,
  RecipeMarkerNotFoundError,
  RecipeNotFoundError,
  RecipeRestoreConflictError,
} from './recipes.errors.js';
export { RecipesModule } from './recipes.module.js';
export { RecipesService } from './recipes.service.js';
export type {
  CreateRecipe,
  RecipeFilter,
  RecipeLink,
  RecipeQuery,
  RecipeSortKey,
  UpdateRecipe,
} from './recipes.types.js';
