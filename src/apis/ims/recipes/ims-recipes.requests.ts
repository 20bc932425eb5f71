import { RECIPE_ARCHS, RECIPE_TYPES, type RecipeArch, type RecipeType } from '../../../modules/recipes/index.js';
import { BooleanWord, Choice, Name, Nested, NestedList, Nullable, Optional, Text } from '../ims-fields.js';
import { LinkRequest } from '../ims-link.js';

const MOST_PAIRS = 1000;

class TemplateValueRequest {
  @Text(65_536, { minimum: 0 })
  key: string;

  @Text(65_536, { minimum: 0 })
  value: string;
}

/** Body of POST /v3/recipes. */
export class CreateRecipeRequest {
  @Name()
  name: string;

  @Choice(RECIPE_TYPES)
  recipe_type: RecipeType;

  @Text(255)
  linux_distribution: string;

  @Nullable()
  @Nested(() => LinkRequest)
  link?: LinkRequest | null;

  @Optional()
  @Choice(RECIPE_ARCHS)
  arch?: RecipeArch;

  @Optional()
  @BooleanWord()
  require_dkms?: boolean;

  @Nullable()
  @NestedList(() => TemplateValueRequest, MOST_PAIRS)
  template_dictionary?: TemplateValueRequest[] | null;
}

/** Body of PATCH /v3/recipes/{id}. */
export class UpdateRecipeRequest {
  @Optional()
  @Nested(() => LinkRequest)
  link?: LinkRequest;

  @Optional()
  @Choice(RECIPE_ARCHS)
  arch?: RecipeArch;

  @Optional()
  @BooleanWord()
  require_dkms?: boolean;

  @Nullable()
  @NestedList(() => TemplateValueRequest, MOST_PAIRS)
  template_dictionary?: TemplateValueRequest[] | null;
}
