/** A name space of users and projects. Kiln has one. */
export interface Domain {
  readonly id: string;
  readonly name: string;
  readonly description: string;
}

export const DEFAULT_DOMAIN: Domain = { id: 'default', name: 'Default', description: 'The default domain' };

/** How a client names a domain. */
export type DomainReference = { readonly id: string } | { readonly name: string };

/** Null when there is none. */
export function findDomain(reference: DomainReference): Domain | null {
  const matches = 'id' in reference ? reference.id === DEFAULT_DOMAIN.id : reference.name === DEFAULT_DOMAIN.name;
  return matches ? DEFAULT_DOMAIN : null;
}

/** The domain with that id. Every stored user and project is in one. */
export function domainById(id: string): Domain {
  return id === DEFAULT_DOMAIN.id ? DEFAULT_DOMAIN : { id, name: id, description: '' };
}
