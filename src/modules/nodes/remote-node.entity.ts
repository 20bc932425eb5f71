import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A machine that a project has named to build on. */
@Entity('remote_nodes')
export class RemoteNode {
  @PrimaryColumn('text', { name: 'project_id' })
  projectId: string;

  /** Where the machine sits, which is also its host name. */
  @PrimaryColumn('text')
  xname: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;
}
