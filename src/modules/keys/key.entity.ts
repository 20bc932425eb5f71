import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An SSH public key that jobs let in. The text is kept as it came; nothing says it is a key. */
@Entity('keys')
export class Key {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text', { name: 'project_id' })
  projectId: string;

  @Column('text')
  name: string;

  @Column('text', { name: 'public_key' })
  publicKey: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;

  @Column('timestamptz', { name: 'deleted_at', nullable: true })
  deletedAt: Date | null;
}
