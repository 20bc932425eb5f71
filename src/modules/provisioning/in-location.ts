/**
 * Whether a compute resource stands in a location, as SQL.
 * @param computeResourceId SQL of its number
 * @param locationId SQL of the location's number
 */
export function isInLocation(computeResourceId: string, locationId: string): string {
  return `EXISTS (SELECT 1 FROM compute_resource_locations r
    WHERE r.compute_resource_id = ${computeResourceId} AND r.location_id = ${locationId})`;
}
