/**
 * Fills a database with images of many projects: 1 % public, 6 % shared, the rest private; tags and properties of
 * different rarity; one viewer with some 200 images of its own. Bulk SQL, since it is only the ground of a measurement.
 */
export const VIEWER = 'be0c0000000000000000000000000001';

export async function seed(client, from, to, now = Date.now()) {
  await client.query(
    `INSERT INTO images (id, project_id, name, status, visibility, tags, properties, disk_format, container_format,
       size_bytes, md5, hash_algorithm, hash_value, store_ids, origin, created_at, updated_at)
     SELECT gen_random_uuid(),
       CASE WHEN n % greatest($2 / 200, 1) = 0 AND n < $2 THEN '${VIEWER}'
            ELSE md5('project' || (floor(1000 * power(random(), 3)))::int) END,
       'image-' || (n % 5000),
       CASE WHEN n % 20 = 0 THEN 'queued' ELSE 'active' END,
       CASE WHEN n % 100 = 1 THEN 'public' WHEN n % 17 = 2 THEN 'shared' ELSE 'private' END,
       ARRAY['linux', 'tag-' || (n % 1000)],
       jsonb_build_object('os_distro', (ARRAY['debian', 'ubuntu', 'rocky', 'suse'])[1 + n % 4],
         'os_version', (n % 30)::text, 'architecture', 'x86_64', 'build', (n % 2000)::text, 'hw_disk_bus', 'virtio'),
       'qcow2', 'bare', (random() * 1e10)::bigint, md5(n::text), 'sha512', repeat(md5(n::text), 4), '{default}', 'upload',
       to_timestamp($3 / 1000.0) - n * interval '1 second', to_timestamp($3 / 1000.0) - n * interval '1 second'
     FROM generate_series($1::bigint, $2::bigint - 1) AS n`,
    [from, to, now],
  );
  await client.query(
    `INSERT INTO image_members (image_id, member, status, image_created_at)
     SELECT id, '${VIEWER}', 'accepted', created_at FROM images
     WHERE visibility = 'shared' AND project_id <> '${VIEWER}' ORDER BY id LIMIT 100 ON CONFLICT DO NOTHING`,
  );
  await client.query('ANALYZE images');
  await client.query('ANALYZE image_members');
}
