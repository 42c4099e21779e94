import type { Attempt } from '../../connector.ts';
import { connect } from '../session.ts';
import { neverCommitted, type Followed } from './model.ts';
import type { WarehouseContext } from './open.ts';

/** What has never committed anything here, for a role that may only read: where there are no books, all of it; where they are closed to it, nobody knows. */
export async function waitsOfReader(context: WarehouseContext, followed: Followed, attempt: Attempt): Promise<readonly string[]> {
  if (followed.after.length === 0) return [];
  await using session = await connect(context.settings, attempt, { readOnly: true, what: `connection ${context.name}` });
  return await session.run(async (client) => {
    const { rows } = await client.query<{ readable: boolean | null }>(
      `SELECT bool_and(has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, 'SELECT')) AS readable FROM pg_catalog.pg_class
       WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = '_millrace') AND relname IN ('state', 'tables')`,
    );
    const readable = rows[0]?.readable ?? null;
    if (readable === null) return followed.after;
    return readable ? await neverCommitted(client, followed) : [];
  });
}
