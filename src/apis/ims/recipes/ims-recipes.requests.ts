import { applyDecorators } from '@nestjs/common';
import { ValidateBy } from 'class-validator';
import { RECIPE_ARCHS, RECIPE_TYPES, type RecipeArch, type RecipeType } from '../../../modules/recipes/index.js';
import { BooleanWord, Choice, Name, Nested, NestedList, Nullable, Optional, Text } from '../ims-fields.js';
import { LinkRequest } from '../ims-link.js';

const MOST_PAIRS = 1000;
/** Lists show whole dictionaries. */
const MOST_CHARACTERS = 128 * 1024;

const Dictionary = () =>
  applyDecorators(
    NestedList(() => TemplateValueRequest, MOST_PAIRS),
    ValidateBy({
      name: 'dictionaryCharacters',
      validator: {
        validate: (pairs) => charactersOf(pairs) <= MOST_CHARACTERS,
        defaultMessage: () => `$property must not hold more than ${MOST_CHARACTERS} characters in all`,
      },
    }),
  );

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
  @Dictionary()
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
  @Dictionary()
  template_dictionary?: TemplateValueRequest[] | null;
}

/** Of what is no pair of texts nothing counts: it is another fault. */
function charactersOf(pairs: unknown): number {
  if (!Array.isArray(pairs)) return 0;
  return (pairs as Partial<TemplateValueRequest>[])
    .flatMap((pair) => [pair?.key, pair?.value])
    .reduce((sum, text) => sum + (typeof text === 'string' ? text.length : 0), 0);
}
