/** A call that an application credential is good for. */
export interface AccessRule {
  readonly id: string;
  /** Type of the service, as the catalogue names it. */
  readonly service: string;
  readonly method: string;
  /** `*` and `{anything}` stand for one part of the path, `**` for any number of them. */
  readonly path: string;
}

/** What a request is about to do, as far as its credentials may limit it. */
export interface Call {
  /** Type of the service that is called. */
  readonly service: string;
  readonly method: string;
  /** The path of the request, in every form in which a rule may name it. */
  readonly paths: readonly string[];
  /** The token of the service that calls on the user's behalf, if one does. */
  readonly serviceToken: string | null;
  /** Whether the face decides by the user's token alone: a bad service token is as good as none. */
  readonly lenient: boolean;
}

/** The methods that a rule can name. */
export const ACCESS_RULE_METHODS = ['POST', 'GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'] as const;

/** What may be done to a token with nothing but that token. */
const OWN_TOKEN_METHODS: readonly string[] = ['GET', 'HEAD', 'DELETE'];

/** Whether the rules, of which there may be none at all (null), let a call through. */
export function allowsCall(rules: readonly AccessRule[] | null, call: Call): boolean {
  if (rules === null) return true;
  // Whoever has a token may look at it and end it, whatever it is good for.
  const ownToken = call.service === 'identity' && OWN_TOKEN_METHODS.includes(call.method);
  if (ownToken && call.paths.some((path) => path.endsWith('/v3/auth/tokens'))) return true;
  return rules.some(
    (rule) =>
      rule.service === call.service &&
      rule.method === call.method &&
      call.paths.some((path) => matchesPath(path, rule.path)),
  );
}

/** @see keystonemiddleware, auth_token, `_path_matches` */
export function matchesPath(path: string, pattern: string): boolean {
  const parts = pattern.match(/\{[^}]*\}|\*\*|\*|[^{*]+|\{/g) ?? [];
  return matchFrom(path, parts);
}

/**
 * By hand and not by a regular expression: a user's pattern of many stars must not cost more than its length times the
 * length of the path.
 */
function matchFrom(path: string, parts: readonly string[]): boolean {
  // The places in the path where what has been read of the pattern may end.
  let ends = new Set([0]);
  for (const part of parts) ends = advance(path, ends, part);
  return ends.has(path.length);
}

function advance(path: string, starts: ReadonlySet<number>, part: string): Set<number> {
  const ends = new Set<number>();
  if (part === '**') {
    const first = Math.min(...starts);
    for (let at = first; at <= path.length; at += 1) ends.add(at);
    return ends;
  }
  if (part === '*' || /^\{.*\}$/s.test(part)) {
    // One character or more of one part of the path.
    let open = false;
    for (let at = 0; at <= path.length; at += 1) {
      if (open) ends.add(at);
      open = (open || starts.has(at)) && path[at] !== '/';
    }
    return ends;
  }
  for (const at of starts) if (path.startsWith(part, at)) ends.add(at + part.length);
  return ends;
}
