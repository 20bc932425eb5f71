import { type Actor, NotPermittedError } from '../tenancy/index.js';

/** What readers of a project may: see its records, and what they refer to. @throws NotPermittedError */
export function mayView(actor: Actor, action: string): void {
  if (!actor.has('reader')) throw new NotPermittedError(action);
}

/** What members of a project may. @throws NotPermittedError */
export function mayChange(actor: Actor, action: string): void {
  if (!actor.has('member')) throw new NotPermittedError(action);
}

/** What belongs to the deployment is changed by its administrators. @throws NotPermittedError */
export function mayAdminister(actor: Actor, action: string): void {
  if (!actor.isAdmin) throw new NotPermittedError(action);
}
