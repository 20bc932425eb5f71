import type { ValidationMessage } from '../../modules/custom-images/index.js';

/** What validators found, as an answer tells it. */
export function presentMessages(messages: readonly ValidationMessage[]) {
  return messages.map(({ type, level, message }) => ({ id: type, type, level, message }));
}
