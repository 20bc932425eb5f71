import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { Bindings } from '../../../platform/database/keyset.js';
import { isInLocation } from '../in-location.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { RowLister } from '../listing/row-lister.js';
import type { ImageParent, ProvisioningImage, ProvisioningImageField, Within } from '../provisioning.types.js';

const COLUMNS = `i.id, i.project_id AS "projectId", i.name, i.username, i.uuid, i.user_data AS "userData",
  i.iam_role AS "iamRole", i.compute_resource_id AS "computeResourceId", c.name AS "computeResourceName",
  c.provider AS "computeResourceProvider", i.operating_system_id AS "operatingSystemId", o.title AS "operatingSystemTitle",
  i.architecture_id AS "architectureId", a.name AS "architectureName", i.created_at AS "createdAt",
  i.updated_at AS "updatedAt"`;

const FROM = `provisioning_images i
  LEFT JOIN compute_resources c ON c.id = i.compute_resource_id
  LEFT JOIN operating_systems o ON o.id = i.operating_system_id
  LEFT JOIN architectures a ON a.id = i.architecture_id`;

const PARENT_COLUMN: Readonly<Record<ImageParent['kind'], string>> = {
  computeResource: 'i.compute_resource_id',
  operatingSystem: 'i.operating_system_id',
  architecture: 'i.architecture_id',
};

/** A row as it is written. */
export interface StoredImage {
  readonly id: number;
  readonly projectId: string;
  readonly computeResourceId: number;
  readonly operatingSystemId: number;
  readonly architectureId: number;
  readonly name: string;
  readonly username: string;
  readonly uuid: string;
  readonly userData: boolean;
  readonly iamRole: string | null;
  /** Undefined: stays as it is; null: none. */
  readonly sealedPassword: Buffer | null | undefined;
}

/** Which of a project's images are meant. */
export interface ImageScope {
  readonly projectId: string;
  readonly parent: ImageParent['kind'];
  readonly parentId: number;
  readonly within: Within;
}

/** Every statement on `provisioning_images`. */
@Injectable()
export class ProvisioningImagesRepository {
  private readonly lister: RowLister<ProvisioningImage, ProvisioningImageField>;

  constructor(private readonly database: Database) {
    this.lister = new RowLister<ProvisioningImage, ProvisioningImageField>(database, {
      from: FROM,
      columns: COLUMNS,
      id: 'i.id',
      fields: {
        id: { sql: 'i.id', type: 'integer' },
        name: { sql: 'i.name', type: 'text' },
        username: { sql: 'i.username', type: 'text' },
        compute_resource: { sql: 'c.name', type: 'text' },
        architecture: { sql: 'i.architecture_id', type: 'integer' },
        operatingsystem: { sql: 'i.operating_system_id', type: 'integer' },
        user_data: { sql: 'i.user_data', type: 'boolean' },
      },
      usualOrder: 'id',
    });
  }

  page(scope: ImageScope, query: RowQuery<ProvisioningImageField>): Promise<RowPage<ProvisioningImage>> {
    return this.lister.page((bindings) => conditionsOf(scope, bindings), query);
  }

  find(scope: ImageScope, id: number): Promise<ProvisioningImage | null> {
    return this.findWith(scope, id, '');
  }

  /** As `find`, and nobody else changes it until the transaction ends. */
  findForUpdate(scope: ImageScope, id: number): Promise<ProvisioningImage | null> {
    return this.findWith(scope, id, 'FOR UPDATE OF i');
  }

  /** Whether another image of the compute resource has that name for that operating system. */
  isNameTaken(image: Pick<StoredImage, 'computeResourceId' | 'operatingSystemId' | 'name'>, except: number) {
    return this.exists('compute_resource_id = $1 AND operating_system_id = $2 AND name = $3 AND id <> $4', [
      image.computeResourceId,
      image.operatingSystemId,
      image.name,
      except,
    ]);
  }

  /** Whether another image of the compute resource points at the same. */
  isUuidTaken(image: Pick<StoredImage, 'computeResourceId' | 'uuid'>, except: number): Promise<boolean> {
    return this.exists('compute_resource_id = $1 AND uuid = $2 AND id <> $3', [
      image.computeResourceId,
      image.uuid,
      except,
    ]);
  }

  /** A number that no image has or had. */
  async nextId(): Promise<number> {
    const row = await this.database.one<{ id: number }>(
      `SELECT nextval(pg_get_serial_sequence('provisioning_images', 'id'))::integer AS id`,
    );
    return row!.id;
  }

  async insert(image: StoredImage): Promise<void> {
    await this.database.run(
      `INSERT INTO provisioning_images (id, project_id, compute_resource_id, operating_system_id, architecture_id, name,
         username, uuid, user_data, iam_role, sealed_password)
       OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [...valuesOf(image), image.sealedPassword ?? null],
    );
  }

  async update(image: StoredImage): Promise<void> {
    await this.database.run(
      `UPDATE provisioning_images SET project_id = $2, compute_resource_id = $3, operating_system_id = $4,
         architecture_id = $5, name = $6, username = $7, uuid = $8, user_data = $9, iam_role = $10,
         sealed_password = CASE WHEN $11 THEN $12 ELSE sealed_password END, updated_at = now()
       WHERE id = $1`,
      [...valuesOf(image), image.sealedPassword !== undefined, image.sealedPassword ?? null],
    );
  }

  async remove(id: number): Promise<void> {
    await this.database.run('DELETE FROM provisioning_images WHERE id = $1', [id]);
  }

  private async exists(condition: string, values: readonly unknown[]): Promise<boolean> {
    const row = await this.database.one(`SELECT 1 FROM provisioning_images WHERE ${condition} LIMIT 1`, values);
    return row !== null;
  }

  private async findWith(scope: ImageScope, id: number, lock: string): Promise<ProvisioningImage | null> {
    const { projectId, parent, parentId, within } = scope;
    return this.database.one<ProvisioningImage>(
      `SELECT ${COLUMNS} FROM ${FROM}
       WHERE i.id = $1 AND i.project_id = $2 AND ${PARENT_COLUMN[parent]} = $3
         AND ($4::integer IS NULL OR ${isInLocation('i.compute_resource_id', '$4')}) ${lock}`,
      [id, projectId, parentId, within.locationId],
    );
  }
}

function conditionsOf({ projectId, parent, parentId, within }: ImageScope, bindings: Bindings): string[] {
  return [
    `${PARENT_COLUMN[parent]} = ${bindings.add(parentId)}`,
    `i.project_id = ${bindings.add(projectId)}`,
    ...(within.locationId === null ? [] : [isInLocation('i.compute_resource_id', bindings.add(within.locationId))]),
  ];
}

function valuesOf(image: StoredImage): unknown[] {
  return [
    image.id,
    image.projectId,
    image.computeResourceId,
    image.operatingSystemId,
    image.architectureId,
    image.name,
    image.username,
    image.uuid,
    image.userData,
    image.iamRole,
  ];
}
