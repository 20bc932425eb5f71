import type { SortTerm } from '../../common/paging.js';
import type { TimeCondition } from '../../common/time-condition.js';
import type { RecipeArch, RecipeType, TemplateValue } from './recipe.entity.js';

/** Where a recipe's archive lies. */
export interface RecipeLink {
  /** `s3://bucket/key` within the project. */
  readonly path: string;
  readonly etag: string;
}

export interface CreateRecipe {
  readonly name: string;
  readonly recipeType: RecipeType;
  readonly linuxDistribution: string;
  readonly arch: RecipeArch;
  readonly requireDkms: boolean;
  readonly templateDictionary: readonly TemplateValue[];
  readonly link: RecipeLink | null;
}

/** Applied as a whole or not at all; what is absent stays as it is. */
export interface UpdateRecipe {
  readonly arch?: RecipeArch;
  readonly requireDkms?: boolean;
  /** Takes the place of the whole list. */
  readonly templateDictionary?: readonly TemplateValue[];
  /** Set once; the same again changes nothing. */
  readonly link?: RecipeLink;
}

export type RecipeSortKey = 'id' | 'name' | 'created' | 'deleted' | 'arch' | 'recipe_type' | 'linux_distribution';

/** Conditions that all hold; a list of values means any of them. */
export interface RecipeFilter {
  readonly names?: readonly string[];
  readonly archs?: readonly string[];
  readonly recipeTypes?: readonly string[];
  readonly linuxDistributions?: readonly string[];
  readonly requireDkms?: boolean;
  readonly created?: readonly TimeCondition[];
  /** Of deleted ones. */
  readonly deletedAt?: readonly TimeCondition[];
}

/** Which recipes are listed, and in which order. */
export interface RecipeQuery {
  /** Null: those of every project, for administrators. */
  readonly projectId: string | null;
  /** Soft-deleted recipes instead of live ones. */
  readonly deleted?: boolean;
  readonly filter: RecipeFilter;
  readonly sort: readonly SortTerm<RecipeSortKey>[];
  /** Id of the recipe behind which the list starts. */
  readonly marker?: string;
}
