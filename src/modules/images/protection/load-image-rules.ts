import { readFileSync } from 'node:fs';
import { type Config, ConfigError } from '../../../config/config.js';
import { loadPolicy, type Policy } from '../../tenancy/index.js';
import { IMAGE_RULES } from '../image-rules.js';
import { PropertyProtections } from './property-protections.js';
import { PROPERTY_ACTIONS, type PropertyRules, readPropertyRules } from './property-rules.js';

/** Everything that an operator's files say of who may what with images. */
export interface LoadedImageRules {
  readonly policy: Policy;
  readonly protections: PropertyProtections;
}

/** @throws ConfigError naming every problem of both files */
export function loadImageRules({ policyFile, propertyProtection }: Config): LoadedImageRules {
  const { path, format } = propertyProtection;
  const read: PropertyRules =
    path === undefined ? { rules: [], problems: [] } : readPropertyRules(readText(path), format);
  const problems = read.problems.map((problem) => `${path}: ${problem}`);
  const asked =
    format === 'roles'
      ? []
      : read.rules.flatMap(({ line, allowed }) =>
          PROPERTY_ACTIONS.flatMap((action) => allowed[action])
            .filter((word) => word !== '@' && word !== '!')
            .map((rule) => ({ line, rule })),
        );
  try {
    const policy = loadPolicy(
      IMAGE_RULES,
      policyFile,
      asked.map(({ rule }) => rule),
    );
    for (const { line, rule } of asked.filter(({ rule }) => !policy.has(rule))) {
      problems.push(`${path}: line ${line}: there is no policy rule '${rule}'`);
    }
    if (problems.length === 0) return { policy, protections: new PropertyProtections(read.rules, format, policy) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  }
  throw new ConfigError(problems);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([`${path}: cannot be read: ${(error as Error).message}`]);
  }
}
