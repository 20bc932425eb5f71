import type { FastifyRequest } from 'fastify';
import type { CustomImageFilter, CustomImageQuery } from '../../../modules/custom-images/index.js';
import type { Dialect } from '../dialect.js';
import { BadInputError } from '../parallelcluster.errors.js';
import { Query } from '../query.js';

const FILTERS = {
  AVAILABLE: 'available',
  PENDING: 'pending',
  FAILED: 'failed',
} as const satisfies Record<string, CustomImageFilter>;

/** What a list request asks for. @throws BadInputError */
export function toListQuery({ url }: Pick<FastifyRequest, 'url'>, dialect: Dialect): CustomImageQuery {
  const query = new Query(url);
  const status = query.choice('imageStatus', Object.keys(FILTERS) as (keyof typeof FILTERS)[]);
  if (status === undefined) throw new BadInputError(`Missing query parameter 'imageStatus'`);
  return {
    region: query.text('region'),
    filter: FILTERS[status],
    pageToken: query.text('nextToken'),
    withoutRolledBack: dialect === 'preview',
  };
}
