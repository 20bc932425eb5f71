/** What a rule says, as it was written. */
export type PolicyExpression =
  | { readonly kind: 'always' | 'never' }
  | { readonly kind: 'not'; readonly of: PolicyExpression }
  | { readonly kind: 'all' | 'any'; readonly of: readonly PolicyExpression[] }
  | { readonly kind: 'rule'; readonly name: string; readonly at: number }
  | { readonly kind: 'role'; readonly role: Template }
  | { readonly kind: 'credential'; readonly credential: Credential; readonly value: Template }
  | { readonly kind: 'literal'; readonly literal: string; readonly value: Template };

/** Text in which `%(name)s` stands for an attribute of what is acted upon: texts and names in turn. */
export type Template = readonly string[];

/** What a rule may ask of who acts. */
export type Credential = 'user_id' | 'user_name' | 'project_id' | 'project_name';

const CREDENTIALS: Readonly<Record<string, Credential>> = {
  user_id: 'user_id',
  user: 'user_id',
  user_name: 'user_name',
  project_id: 'project_id',
  tenant: 'project_id',
  tenant_id: 'project_id',
  project_name: 'project_name',
};

/** The rule that says who is an administrator; `is_admin:True` is another way to ask for it. */
const ADMIN_RULE = 'context_is_admin';

/** No rule that a person wrote is longer, and reading takes stack with every bracket. */
const LONGEST = 4_096;

/** A rule that cannot be read. */
export class PolicySyntaxError extends Error {
  /** @param at the place in the rule, from 0 */
  constructor(reason: string, at: number) {
    super(`at character ${at + 1}: ${reason}`);
  }
}

/**
 * Reads a rule in the language of oslo.policy.
 *
 * Empty or `@` is everybody and `!` nobody; `role:x`, `rule:x`, `user_id:…`, `project_id:…`, `is_admin:True`, or a literal
 * (`'public':%(visibility)s`) are joined by `and`, `or`, `not` and brackets, of which `not` binds most and `or` least.
 *
 * @throws PolicySyntaxError
 */
export function parsePolicyRule(text: string): PolicyExpression {
  if (text.length > LONGEST) throw new PolicySyntaxError(`a rule has at most ${LONGEST} characters`, LONGEST);
  const tokens = tokenize(text);
  return tokens.length === 0 ? { kind: 'always' } : new RuleReader(tokens, text.length).read();
}

interface Token {
  readonly kind: '(' | ')' | 'and' | 'or' | 'not' | 'check';
  readonly text: string;
  readonly at: number;
}

/** A check may hold `%(name)s` and quoted text; any other bracket ends it. */
const CHECK = /(?:%\([^()\s]*\)s|'[^']*'|"[^"]*"|[^\s()'"])+/y;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const character = text[at]!;
    if (/\s/.test(character)) at += 1;
    else if (character === '(' || character === ')') tokens.push({ kind: character, text: character, at: at++ });
    else {
      CHECK.lastIndex = at;
      const check = CHECK.exec(text)?.[0];
      if (check === undefined) throw new PolicySyntaxError('a quotation mark that is never closed', at);
      const word = check.toLowerCase();
      const kind = word === 'and' || word === 'or' || word === 'not' ? word : 'check';
      tokens.push({ kind, text: check, at });
      at += check.length;
    }
  }
  return tokens;
}

class RuleReader {
  private next = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly end: number,
  ) {}

  read(): PolicyExpression {
    const expression = this.any();
    const rest = this.tokens[this.next];
    if (rest) throw new PolicySyntaxError(`'${rest.text}' is not expected here; join checks with and, or`, rest.at);
    return expression;
  }

  private any(): PolicyExpression {
    return this.joined('or', 'any', () => this.all());
  }

  private all(): PolicyExpression {
    return this.joined('and', 'all', () => this.one());
  }

  private joined(word: 'and' | 'or', kind: 'all' | 'any', part: () => PolicyExpression): PolicyExpression {
    const of = [part()];
    while (this.take(word)) of.push(part());
    return of.length === 1 ? of[0]! : { kind, of };
  }

  private one(): PolicyExpression {
    if (this.take('not')) return { kind: 'not', of: this.one() };
    const opened = this.take('(');
    if (opened) {
      const inner = this.any();
      if (!this.take(')')) throw new PolicySyntaxError('a bracket that is never closed', opened.at);
      return inner;
    }
    const check = this.take('check');
    if (check) return parseCheck(check.text, check.at);
    const found = this.tokens[this.next];
    throw new PolicySyntaxError(
      found ? `'${found.text}' instead of a check` : 'a check is missing',
      found?.at ?? this.end,
    );
  }

  private take(kind: Token['kind']): Token | null {
    const token = this.tokens[this.next];
    if (token?.kind !== kind) return null;
    this.next += 1;
    return token;
  }
}

function parseCheck(text: string, at: number): PolicyExpression {
  if (text === '@') return { kind: 'always' };
  if (text === '!') return { kind: 'never' };
  const quoted = /^(?:'[^']*'|"[^"]*")/.exec(text)?.[0];
  const colon = quoted ? (text[quoted.length] === ':' ? quoted.length : -1) : text.indexOf(':');
  const [left, right] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon <= 0 || right === '') throw new PolicySyntaxError(`'${text}' is not of the form kind:value`, at);
  if (quoted) return { kind: 'literal', literal: quoted.slice(1, -1), value: template(right, at) };
  if (left === 'rule') return { kind: 'rule', name: right, at };
  if (left === 'role') return { kind: 'role', role: template(right, at) };
  if (left === 'is_admin') return isAdmin(right, at);
  if (/^(?:True|False|None|-?\d+)$/.test(left)) return { kind: 'literal', literal: left, value: template(right, at) };
  if (Object.hasOwn(CREDENTIALS, left)) {
    return { kind: 'credential', credential: CREDENTIALS[left]!, value: template(right, at) };
  }
  if (left === 'http' || left === 'https') {
    throw new PolicySyntaxError('checks that ask another service are not supported', at);
  }
  const known = ['role', 'rule', 'is_admin', ...Object.keys(CREDENTIALS)].join(', ');
  throw new PolicySyntaxError(`'${left}' is nothing that a rule can ask for; known are ${known}, or a quoted text`, at);
}

function isAdmin(value: string, at: number): PolicyExpression {
  const rule = { kind: 'rule', name: ADMIN_RULE, at } as const;
  if (value === 'True' || value === '1') return rule;
  if (value === 'False' || value === '0') return { kind: 'not', of: rule };
  throw new PolicySyntaxError(`is_admin is True or False, not '${value}'`, at);
}

function template(text: string, at: number): Template {
  const value = /^(?:'[^']*'|"[^"]*")$/.test(text) ? text.slice(1, -1) : text;
  const parts = value.split(/%\(([^()]+)\)s/);
  if (parts.some((part, index) => index % 2 === 0 && /%\(|['"]/.test(part))) {
    throw new PolicySyntaxError(`'${text}': an attribute is written %(name)s`, at);
  }
  return parts;
}
