import { sql } from '../pipeline-kit.ts';

/** What sessions of Millrace are doing in a database, but for those of a source that only watch. */
export async function busySessions(url: string): Promise<readonly string[]> {
  const rows = await sql(
    url,
    `SELECT application_name || ': ' || left(query, 60) AS session FROM pg_stat_activity
     WHERE datname = current_database() AND starts_with(application_name, 'millrace:') AND (state = 'active' OR xact_start IS NOT NULL)`,
  );
  return rows.map(({ session }) => session ?? '');
}

/** Everything of a warehouse that a load may change: rows of its tables, state and books, and its load tables. */
export async function snapshot(url: string, schema: string): Promise<readonly unknown[]> {
  const tables = await sql(url, `SELECT tablename FROM pg_tables WHERE schemaname = '${schema}' ORDER BY 1`);
  const rows = await Promise.all(tables.map(({ tablename }) => sql(url, `SELECT * FROM ${schema}."${tablename}" t ORDER BY t::text`)));
  return [
    tables,
    rows,
    await sql(url, 'SELECT project, pipeline, stream, version, generation, cursor FROM _millrace.state ORDER BY 1, 2, 3'),
    await sql(url, 'SELECT * FROM _millrace.loads ORDER BY load_id'),
    await sql(
      url,
      `SELECT relname FROM pg_class WHERE relnamespace = '_millrace'::regnamespace AND relname LIKE 'l\\_%' AND relkind = 'r'`,
    ),
  ];
}
