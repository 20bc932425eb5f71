/** A word, or a sign that stands for something. */
export type Token = string | Sign;

export type Sign =
  | { readonly sign: 'compare'; readonly operator: Operator }
  | { readonly sign: 'and' | 'or' | 'not' | 'has' | 'null' | '(' | ')' | ',' };

/** What is asked of a field; `~` is "contains", `^` "is one of". */
export type Operator = '=' | '!=' | '>' | '>=' | '<' | '<=' | '~' | '!~' | '^' | '!^';

const AND = { sign: 'and' } as const;
const OR = { sign: 'or' } as const;
const NOT = { sign: 'not' } as const;
const compare = (operator: Operator): Sign => ({ sign: 'compare', operator });

/** Signs wherever they stand, longer ones first. */
const SIGNS: readonly (readonly [text: string, sign: Sign])[] = [
  ['(', { sign: '(' }],
  [')', { sign: ')' }],
  [',', { sign: ',' }],
  ['&&', AND],
  ['&', AND],
  ['||', OR],
  ['|', OR],
  ['==', compare('=')],
  ['=', compare('=')],
  ['<>', compare('!=')],
  ['<=', compare('<=')],
  ['<', compare('<')],
  ['>=', compare('>=')],
  ['>', compare('>')],
  ['~', compare('~')],
  // These begin a token, and are characters like any other inside of a word.
  ['!=', compare('!=')],
  ['!~', compare('!~')],
  ['!^', compare('!^')],
  ['!', NOT],
  ['-', NOT],
  ['^', compare('^')],
];

/** Words that are signs, in any case, unless they are quoted. */
const KEYWORDS: Readonly<Record<string, Sign>> = {
  and: AND,
  or: OR,
  not: NOT,
  has: { sign: 'has' },
  'set?': { sign: 'has' },
  'null?': { sign: 'null' },
  before: compare('<'),
  after: compare('>'),
  at: compare('='),
};

const WORD = /[^\s=~<>&|(),]+/y;
const BLANK = /\s+/y;
const QUOTED = /"((?:[^"\\]|\\.)*)(?:"|\\?$)/sy;

/**
 * The tokens of a search.
 * @see scoped_search, query language tokenizer
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const matched = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  while (at < text.length) {
    if (matched(BLANK)) continue;
    const quoted = matched(QUOTED);
    if (quoted) {
      tokens.push(quoted[1]!.replace(/\\(.)/gs, '$1'));
      continue;
    }
    const sign = SIGNS.find(([start]) => text.startsWith(start, at));
    if (sign) {
      tokens.push(sign[1]);
      at += sign[0].length;
      continue;
    }
    const [word] = matched(WORD)!;
    const keyword = word.toLowerCase();
    tokens.push(Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword]! : word);
  }
  return tokens;
}
