const MOST_VALUES = 20_000;
/** No request has more of its own. */
const MOST_CHARACTERS = 2 ** 20;

/**
 * Whether a document is too large to be looked at; null: it is not. What an alias stands for counts every time: a few
 * lines of them stand for millions of values, each of which could be found at fault. One that stands for itself has no end.
 */
export function extentFault(root: unknown): string | null {
  const open: unknown[] = [root];
  let [values, characters] = [1, 0];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === 'string') characters += value.length;
    else if (isCollection(value)) {
      const keys = Object.keys(value);
      values += keys.length;
      if (values > MOST_VALUES) return `with its aliases it has more than ${MOST_VALUES} values`;
      if (!Array.isArray(value)) characters += keys.join('').length;
      for (const key of keys) open.push(value[key]);
    }
    if (characters > MOST_CHARACTERS) return `with its aliases it has more than ${MOST_CHARACTERS} characters`;
  }
  return null;
}

function isCollection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
