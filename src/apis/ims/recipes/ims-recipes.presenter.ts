import type { Recipe } from '../../../modules/recipes/index.js';
import { presentLink } from '../ims-link.js';

/** @see Image Management Service v3, RecipeRecord */
export function presentRecipe(recipe: Recipe) {
  return {
    id: recipe.id,
    created: recipe.createdAt.toISOString(),
    name: recipe.name,
    recipe_type: recipe.recipeType,
    linux_distribution: recipe.linuxDistribution,
    link: presentLink(recipe.linkPath, recipe.linkEtag),
    arch: recipe.arch,
    require_dkms: recipe.requireDkms,
    template_dictionary: recipe.templateDictionary.map(({ key, value }) => ({ key, value })),
  };
}
