import { Column, Entity, PrimaryColumn } from 'typeorm';

export const RECIPE_TYPES = ['kiwi-ng', 'packer'] as const;
export type RecipeType = (typeof RECIPE_TYPES)[number];

export const RECIPE_ARCHS = ['x86_64', 'aarch64'] as const;
export type RecipeArch = (typeof RECIPE_ARCHS)[number];

/** A value that the recipe's templates may use. */
export interface TemplateValue {
  readonly key: string;
  readonly value: string;
}

/** How an image is built: an archive and what its builder must know of it. */
@Entity('recipes')
export class Recipe {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text', { name: 'project_id' })
  projectId: string;

  @Column('text')
  name: string;

  @Column('text', { name: 'recipe_type' })
  recipeType: RecipeType;

  @Column('text', { name: 'linux_distribution' })
  linuxDistribution: string;

  @Column('text')
  arch: RecipeArch;

  @Column('boolean', { name: 'require_dkms' })
  requireDkms: boolean;

  /** In the order given; of equal keys the last one counts when templates are rendered. */
  @Column('jsonb', { name: 'template_dictionary' })
  templateDictionary: readonly TemplateValue[];

  /** Address of the archive; null until there is one. */
  @Column('text', { name: 'link_path', nullable: true })
  linkPath: string | null;

  /** As the client said it; not compared with anything. */
  @Column('text', { name: 'link_etag', nullable: true })
  linkEtag: string | null;

  /** What lies at the address. */
  @Column('uuid', { name: 'artifact_id', nullable: true })
  artifactId: string | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt: Date;

  @Column('timestamptz', { name: 'deleted_at', nullable: true })
  deletedAt: Date | null;
}
