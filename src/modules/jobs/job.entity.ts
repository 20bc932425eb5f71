import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ShellState } from './builder.js';
import type { JobPhase, JobState, JobStatus, JobType } from './job-state.js';

/** A value that a recipe's templates are rendered with. */
export interface TemplatePair {
  readonly key: string;
  readonly value: string;
}

/** A shell that a user asked for, or that a job opens by itself. */
export interface SshContainer {
  readonly name: string;
  readonly jail: boolean;
}

export type JobInput = Readonly<Record<string, unknown>>;

/** Work done in the background on an image. What it needs was copied when it was accepted. */
@Entity('jobs')
export class Job {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text', { name: 'project_id' })
  projectId: string;

  @Column('text', { name: 'user_id', nullable: true })
  userId: string | null;

  /** The face the job was asked for through. */
  @Column('text')
  face: string;

  @Column('text', { name: 'job_type' })
  jobType: JobType;

  @Column('text')
  status: JobStatus;

  @Column('text')
  phase: JobPhase;

  @Column({
    type: 'text',
    generatedType: 'STORED',
    asExpression: `CASE status WHEN 'succeeded' THEN 'success' WHEN 'failed' THEN 'error' WHEN 'cancelled' THEN 'error' ELSE phase END`,
    insert: false,
    update: false,
  })
  state: JobState;

  /** 0 to 100 of the present phase; null when unknown. */
  @Column('smallint', { nullable: true })
  percent: number | null;

  @Column('uuid', { name: 'recipe_id', nullable: true })
  recipeId: string | null;

  @Column('uuid', { name: 'image_id', nullable: true })
  imageId: string | null;

  @Column('uuid', { name: 'public_key_id', nullable: true })
  publicKeyId: string | null;

  @Column('text', { name: 'public_key', nullable: true })
  publicKey: string | null;

  /** Of the image that a build makes. */
  @Column('text', { nullable: true })
  arch: string | null;

  @Column('boolean', { name: 'require_dkms' })
  requireDkms: boolean;

  @Column('text', { name: 'image_root_archive_name', nullable: true })
  imageRootArchiveName: string | null;

  @Column('text', { name: 'kernel_file_name', nullable: true })
  kernelFileName: string | null;

  @Column('text', { name: 'initrd_file_name', nullable: true })
  initrdFileName: string | null;

  @Column('text', { name: 'kernel_parameters_file_name', nullable: true })
  kernelParametersFileName: string | null;

  @Column('boolean', { name: 'enable_debug' })
  enableDebug: boolean;

  @Column('integer', { name: 'build_env_size_gib', nullable: true })
  buildEnvSizeGib: number | null;

  @Column('integer', { name: 'memory_gib', nullable: true })
  memoryGib: number | null;

  @Column('jsonb', { name: 'ssh_containers', nullable: true })
  sshContainers: readonly SshContainer[] | null;

  /** Null until an execution opens it. */
  @Column('jsonb', { nullable: true })
  shell: ShellState | null;

  @Column('text', { name: 'recipe_type', nullable: true })
  recipeType: string | null;

  @Column('jsonb', { name: 'template_dictionary', nullable: true })
  templateDictionary: readonly TemplatePair[] | null;

  /** What the job starts from: the recipe's archive, or the image's root file system. Kept for it; null once it has ended. */
  @Column('uuid', { name: 'recipe_file_id', nullable: true })
  recipeFileId: string | null;

  /** Chosen with the job, so that a second execution makes the same image. */
  @Column('uuid', { name: 'target_image_id', nullable: true })
  targetImageId: string | null;

  @Column('uuid', { name: 'resultant_image_id', nullable: true })
  resultantImageId: string | null;

  /** Files that executions have stored and that no image refers to yet; empty once the job has ended. */
  @Column('uuid', { name: 'result_file_ids', array: true })
  resultFileIds: readonly string[];

  /** What a job that builds nothing is to do, in the words of its work; never a secret. */
  @Column('jsonb', { nullable: true })
  input: JobInput | null;

  @Column('jsonb', { nullable: true })
  result: JobInput | null;

  /** One sentence on where it is. */
  @Column('text', { nullable: true })
  message: string | null;

  /** The request that asked for it. */
  @Column('text', { name: 'request_id', nullable: true })
  requestId: string | null;

  /** With which another region is asked; gone when the job has ended. */
  @Column('bytea', { name: 'sealed_token', nullable: true })
  sealedToken: Buffer | null;

  @Column('text', { name: 'cause_code', nullable: true })
  causeCode: string | null;

  @Column('text', { name: 'cause_message', nullable: true })
  causeMessage: string | null;

  @Column('text', { name: 'lease_owner', nullable: true })
  leaseOwner: string | null;

  @Column({ type: 'timestamptz', name: 'lease_expires_at', precision: 3, nullable: true })
  leaseExpiresAt: Date | null;

  /** Of the newest execution; every write of an execution carries its own. */
  @Column('bigint', { name: 'fencing_number' })
  fencingNumber: number;

  @Column('integer')
  attempt: number;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3 })
  updatedAt: Date;

  @Column({ type: 'timestamptz', name: 'started_at', precision: 3, nullable: true })
  startedAt: Date | null;

  @Column({ type: 'timestamptz', name: 'finished_at', precision: 3, nullable: true })
  finishedAt: Date | null;

  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true })
  deletedAt: Date | null;
}
