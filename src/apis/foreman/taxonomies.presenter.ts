import { presentTimes } from './times.js';

/** An organization or a location. They have no parents, so the title is the name. */
export function presentTaxonomy(taxonomy: {
  readonly id: number;
  readonly name: string;
  readonly description: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}) {
  return {
    ancestry: null,
    parent_id: null,
    parent_name: null,
    ...presentTimes(taxonomy),
    id: taxonomy.id,
    name: taxonomy.name,
    title: taxonomy.name,
    description: taxonomy.description === '' ? null : taxonomy.description,
  };
}
