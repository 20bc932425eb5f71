import { UnreadableQueryError } from './request-errors.js';

/** The parameters of a query in their order; a name may come more than once. */
export type Parameters = readonly (readonly [name: string, value: string])[];

/**
 * Reads the query of a request target, of which links repeat every parameter in its order.
 * @throws UnreadableQueryError it is not UTF-8, or has a character that no value can have
 */
export function parseParameters(url: string): Parameters {
  const start = url.indexOf('?');
  if (start === -1) return [];
  return url
    .slice(start + 1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [decode(name), decode(value.join('='))] as const;
    });
}

/** Parameters as a query, in the encoding of forms. */
export function formatQuery(parameters: Parameters): string {
  return parameters.map(([name, value]) => `${formEncode(name)}=${formEncode(value)}`).join('&');
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    throw new UnreadableQueryError('it is not percent-encoded UTF-8', error);
  }
  if (decoded.includes('\0')) throw new UnreadableQueryError('it contains a NUL character');
  return decoded;
}

function formEncode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
