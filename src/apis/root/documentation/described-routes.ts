import { readFileSync } from 'node:fs';

/** A JSON schema, as far as OpenAPI 3.1 has the same. */
export type Schema = Readonly<Record<string, unknown>>;

/** What the build saw of a route in the types of its handler. @see scripts/describe-routes.mjs */
export interface DescribedRoute {
  readonly description: string;
  /** Docstring of its controller. */
  readonly area: string;
  readonly see?: string;
  readonly guards: readonly string[];
  /** Null: there is no body, or the handler sends it by itself. */
  readonly answer: Schema | null;
  /** Class of the body. */
  readonly body?: string;
  readonly query: Readonly<Record<string, Schema>>;
}

/** The routes of a face by `Controller.method`, and what they refer to. */
export interface DescribedFace {
  readonly routes: Readonly<Record<string, DescribedRoute>>;
  /** Request classes: for each member the class of what is nested there. */
  readonly bodies: Readonly<Record<string, Readonly<Record<string, string | null>>>>;
  readonly schemas: Readonly<Record<string, Schema>>;
}

/** What the build wrote beside this file. */
export function readDescribedFaces(): DescribedFace[] {
  const text = readFileSync(new URL('./routes.json', import.meta.url), 'utf8');
  return Object.values(JSON.parse(text) as Record<string, DescribedFace>);
}
