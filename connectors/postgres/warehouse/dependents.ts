import type pg from 'pg';

/** What hangs on a table and can't be copied to another: views, foreign keys, policies, triggers, publications, … Empty when a swap loses nothing. */
export async function findDependents(client: pg.Client, oid: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ dependent: string }>(
    `SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) AS dependent
     FROM pg_catalog.pg_depend d
     WHERE ((d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid)
         OR (d.refclassid = 'pg_catalog.pg_type'::regclass AND d.refobjid = (SELECT reltype FROM pg_catalog.pg_class WHERE oid = $1::oid)))
       AND d.deptype <> 'i'
       AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND d.objid IN (SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid = $1::oid))
       AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid IN
         (SELECT oid FROM pg_catalog.pg_constraint WHERE conrelid = $1::oid AND contype IN ('p', 'u', 'c', 'x', 'n')))
     UNION ALL
     SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication_tables p
     JOIN pg_catalog.pg_namespace n ON n.nspname = p.schemaname JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
     WHERE c.oid = $1::oid
     UNION ALL
     SELECT why FROM pg_catalog.pg_class c, LATERAL (VALUES
       (c.relkind <> 'r', 'the table is partitioned'), (c.relispartition, 'the table is a partition'),
       (c.relpersistence <> 'p', 'the table is unlogged'), (c.reltablespace <> 0, 'a tablespace'), (c.relreplident <> 'd', 'a replica identity'),
       (c.relrowsecurity OR c.relforcerowsecurity, 'row level security'),
       (c.relam <> (SELECT oid FROM pg_catalog.pg_am WHERE amname = 'heap'), 'a table access method'),
       (EXISTS (SELECT FROM pg_catalog.pg_seclabel s WHERE s.objoid = c.oid AND s.classoid = 'pg_catalog.pg_class'::regclass), 'a security label'),
       (EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND (i.indisclustered OR i.indisreplident)), 'an index that the table is clustered on'),
       (EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND (a.attidentity <> '' OR a.atthasdef AND NOT a.attisdropped)), 'column defaults'),
       (NOT pg_catalog.pg_has_role(c.relowner, 'USAGE'), 'another owner'),
       (c.relowner <> (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
         AND NOT pg_catalog.has_schema_privilege(c.relowner, c.relnamespace, 'CREATE'), 'an owner that may not create tables here')) v(holds, why)
     WHERE c.oid = $1::oid AND v.holds
     ORDER BY 1`,
    [oid],
  );
  return rows.map((row) => row.dependent);
}
