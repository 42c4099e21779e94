import type { Stream } from '../../schema/stream.ts';
import { tableOf } from './discover.ts';
import type { Session } from './session.ts';
import { quoteIdentifier, quoteLiteral, quoteTable } from './sql.ts';

/** A column that ranges are made of. */
export interface KeyColumn {
  readonly name: string;
  /** As SQL, qualified. */
  readonly type: string;
  readonly integer: boolean;
  /** ` COLLATE …` where the column's differs from the database's. */
  readonly collate: string;
}

const integerTypes: ReadonlySet<string> = new Set(['int2', 'int4', 'int8']);
const otherTypes: ReadonlySet<string> = new Set(['numeric', 'text', 'varchar', 'bpchar', 'uuid', 'date', 'timestamp', 'timestamptz']);
const sampleRows = 2_000;

/** The key's first column, undefined when its type is not one that ranges can be made of. */
export async function keyColumn(session: Session, stream: Stream, name: string): Promise<KeyColumn | undefined> {
  const [row] = await session.query<{ type: string; collation: string | null; schema: string | null }>(
    `SELECT t.typname::text AS type, c.collname::text AS collation, n.nspname::text AS schema
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid AND t.typnamespace = 'pg_catalog'::regnamespace
     LEFT JOIN pg_collation c ON c.oid = a.attcollation AND c.collname <> 'default' LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
     WHERE a.attrelid = $1::regclass AND a.attname = $2`,
    [quoteTable(tableOf(stream)), name],
  );
  if (row === undefined || !(integerTypes.has(row.type) || otherTypes.has(row.type))) return undefined;
  return {
    name,
    type: integerTypes.has(row.type) ? 'bigint' : `pg_catalog.${quoteIdentifier(row.type)}`,
    integer: integerTypes.has(row.type),
    collate: row.collation === null ? '' : ` COLLATE ${quoteTable({ schema: row.schema ?? '', table: row.collation })}`,
  };
}

/** At most `wanted - 1` values that divide the rows into shares of about one size, in the server's order, each once. */
export async function keyBounds(
  session: Session,
  stream: Stream,
  key: KeyColumn,
  wanted: number,
  increment: readonly string[],
): Promise<readonly string[]> {
  // An increment is rarely spread as its table is: for integers its own least and greatest key say more than statistics.
  const histogram = key.integer && increment.length > 0 ? [] : await statistics(session, stream, key);
  const points = key.integer ? await integerPoints(session, stream, key, wanted, histogram, increment) : histogram;
  const known = points.length > 1 || key.integer ? points : await sample(session, stream, key);
  return inOrder(session, key, quantiles(known, wanted));
}

async function statistics(session: Session, stream: Stream, key: KeyColumn): Promise<readonly string[]> {
  const { schema, table } = tableOf(stream);
  const [row] = await session.query<{ bounds: readonly string[] | null }>(
    `SELECT histogram_bounds::text::text[] AS bounds FROM pg_stats
     WHERE schemaname = $1 AND tablename = $2 AND attname = $3 ORDER BY inherited DESC LIMIT 1`,
    [schema, table, key.name],
  );
  return row?.bounds ?? [];
}

async function integerPoints(
  session: Session,
  stream: Stream,
  key: KeyColumn,
  wanted: number,
  histogram: readonly string[],
  increment: readonly string[],
): Promise<readonly string[]> {
  const name = quoteIdentifier(key.name);
  const where = increment.length === 0 ? '' : ` WHERE ${increment.join(' AND ')}`;
  const [row] = await session.query<{ least: string | null; greatest: string | null }>(
    `SELECT min(${name})::text AS least, max(${name})::text AS greatest FROM ${quoteTable(tableOf(stream))}${where}`,
  );
  const { least = null, greatest = null } = row ?? {};
  if (least === null || greatest === null) return [];
  return spread(BigInt(least), BigInt(greatest), histogram.map(BigInt), wanted).map(String);
}

/** The histogram, carried on to the greatest key: rows since the last analyze are taken to be as dense as those before it. */
function spread(least: bigint, greatest: bigint, histogram: readonly bigint[], wanted: number): readonly bigint[] {
  const [first, last] = [histogram[0], histogram.at(-1)];
  if (first === undefined || last === undefined || last <= first) return evenly(least, greatest, wanted);
  const width = (last - first) / BigInt(histogram.length - 1) || 1n;
  const grown = greatest > last ? (greatest - last) / width : 0n;
  return [...histogram, ...evenly(last, greatest, Math.min(Number(grown), 10_000)).slice(1)];
}

function evenly(from: bigint, to: bigint, parts: number): readonly bigint[] {
  if (parts < 1) return [from];
  return Array.from({ length: parts + 1 }, (_, index) => from + ((to - from) * BigInt(index)) / BigInt(parts));
}

async function sample(session: Session, stream: Stream, key: KeyColumn): Promise<readonly string[]> {
  const name = quoteIdentifier(key.name);
  const table = quoteTable(tableOf(stream));
  const [plan] = await session.query<{ 'QUERY PLAN': string }>(`EXPLAIN SELECT FROM ${table}`);
  const rows = Math.max(1, Number(/rows=(\d+)/.exec(plan?.['QUERY PLAN'] ?? '')?.[1] ?? 1));
  const percent = Math.min(100, Math.max(0.01, (100 * sampleRows) / rows));
  const found = await session.query<{ value: string }>(
    `SELECT ${name}::text AS value FROM ${table} TABLESAMPLE SYSTEM (${percent}) ORDER BY ${name}`,
  );
  return found.map(({ value }) => value);
}

function quantiles(points: readonly string[], wanted: number): readonly string[] {
  if (points.length < 2) return [];
  const inner = Array.from({ length: wanted - 1 }, (_, index) => points[Math.round(((index + 1) * (points.length - 1)) / wanted)]);
  return inner.filter((point) => point !== undefined);
}

/** Statistics may be older than a collation: the server of today puts the bounds in order, or rows could be read twice. */
async function inOrder(session: Session, key: KeyColumn, bounds: readonly string[]): Promise<readonly string[]> {
  if (bounds.length === 0) return [];
  const values = `SELECT DISTINCT value::${key.type}${key.collate} AS value FROM unnest(ARRAY[${bounds.map(quoteLiteral).join(', ')}]) b (value)`;
  const rows = await session.query<{ value: string }>(`SELECT value::text AS value FROM (${values}) b ORDER BY b.value${key.collate}`);
  return rows.map(({ value }) => value);
}
