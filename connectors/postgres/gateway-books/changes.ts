import type { Change } from '../../gateway-books.ts';
import type { Session } from '../session.ts';

interface ChangeRow {
  readonly id: string;
  readonly project: string;
  readonly dataset: string;
  readonly name: string;
  readonly load_id: string | null;
  readonly rows: number;
  readonly at: string;
}

const read = `SELECT id, project, dataset, name, load_id, rows::float8 AS rows,
  to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
FROM _millrace.changes WHERE id > $1::bigint ORDER BY id LIMIT $2`;

/** Ids become visible in their order (`_millrace.announce`), so nothing appears later behind the last one given. */
export async function changesAfter(session: Session, id: string, limit: number): Promise<readonly Change[]> {
  const rows = await session.query<ChangeRow>(read, [id, limit]);
  return rows.map(({ load_id: loadId, ...row }) => ({ ...row, loadId }));
}

export async function latestChange(session: Session): Promise<string> {
  const [row] = await session.query<{ id: string }>(
    `SELECT greatest((SELECT max(id) FROM _millrace.changes), (SELECT max(change_id) FROM _millrace.forgotten_changes), 0) AS id`,
  );
  return row?.id ?? '0';
}

export async function forgottenChange(session: Session): Promise<string> {
  const [row] = await session.query<{ id: string }>('SELECT coalesce(max(change_id), 0) AS id FROM _millrace.forgotten_changes');
  return row?.id ?? '0';
}
