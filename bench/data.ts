import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';

/** Columns of the measured table: mixed types, with what breaks careless pipes in the values. */
export const columns = [
  'id bigint',
  'order_uid uuid NOT NULL',
  'customer text NOT NULL',
  'email text',
  'note text',
  'amount numeric(14,2) NOT NULL',
  'quantity integer NOT NULL',
  'active boolean NOT NULL',
  'order_date date NOT NULL',
  'created_at timestamptz NOT NULL',
  'updated_at timestamptz NOT NULL',
  'attrs jsonb',
] as const;

export const columnNames: readonly string[] = columns.map((column) => column.split(' ')[0] ?? '');

const row = `i, md5(i::text)::uuid, '  Customer ' || (i % 5000) || CASE i % 4 WHEN 0 THEN ' Ünïcödé' ELSE '' END,
  CASE WHEN i % 10 = 0 THEN 'N/A' ELSE 'user' || i || '@example.com' END,
  CASE i % 6 WHEN 0 THEN '' WHEN 1 THEN NULL WHEN 2 THEN 'says "hi", ' || i WHEN 3 THEN E'tab\\there' WHEN 4 THEN E'line\\nbreak' ELSE repeat('x', 40) END,
  (i % 100000) / 7.0, i % 100, i % 2 = 0, date '2020-01-01' + (i % 2000)::int,
  timestamptz '2026-01-01' + i * interval '1.000001 seconds', timestamptz '2026-01-01' + i * interval '1.000001 seconds',
  CASE WHEN i % 3 = 0 THEN NULL ELSE jsonb_build_object('a', i, 'b', 'text ' || i % 100) END`;

/** Opens a client for one piece of work. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export const execute = (url: string, sql: string): Promise<unknown> => withClient(url, (client) => client.query(sql));

/** Fills `orders` with rows, vacuumed and analysed. */
export async function fillOrders(url: string, rows: number): Promise<void> {
  await execute(url, `CREATE TABLE orders (${columns.join(', ')}, PRIMARY KEY (id))`);
  await execute(url, `INSERT INTO orders SELECT ${row} FROM generate_series(1, ${rows}) i`);
  await execute(url, 'CREATE INDEX ON orders (updated_at)');
  await execute(url, 'VACUUM (FREEZE, ANALYZE) orders');
}

/** Changes a tenth of the rows and adds half as many, stamped now. `round` counts from 0. */
export async function changeOrders(url: string, rows: number, round: number): Promise<void> {
  const first = rows + (rows / 20) * round + 1;
  await execute(url, `UPDATE orders SET amount = amount + 1, updated_at = clock_timestamp() WHERE id % 10 = ${round % 10}`);
  await execute(url, `INSERT INTO orders SELECT ${row} FROM generate_series(${first}, ${first + rows / 20 - 1}) i`);
  await execute(url, `UPDATE orders SET updated_at = clock_timestamp() WHERE id >= ${first}`);
  await execute(url, 'VACUUM ANALYZE orders');
}

/** Writes a query's rows as a CSV file with a header. */
export async function writeCsv(url: string, query: string, path: string): Promise<void> {
  await withClient(url, (client) =>
    pipeline(client.query(copyTo(`COPY (${query}) TO STDOUT (FORMAT csv, HEADER)`)), createWriteStream(path)),
  );
}

/** One number for each column of a table, equal for equal contents in any order. */
export async function checksums(url: string, table: string, names: readonly string[]): Promise<string> {
  const sums = names.map((name) => `sum(hashtextextended(coalesce(${name}::text, '∅'), 0)) AS ${name}`);
  const result = await withClient(url, (client) => client.query(`SELECT count(*) AS rows, ${sums.join(', ')} FROM ${table}`));
  return JSON.stringify(result.rows[0]);
}
