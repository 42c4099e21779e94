import type { Explanation, OpenRow } from '../../../schema/sync-books.ts';
import type { Attempt } from '../../connector.ts';
import { quoteLiteral } from '../sql.ts';
import { queryFailed } from '../warehouse/model-query.ts';
import { compare, previewRow, type Comparison, type CompareRequest, type SampleRow } from './compare.ts';
import type { BooksConnection } from './connection.ts';
import { diffSql, type DiffState } from './diff.ts';
import { findLog, findOpen } from './lists.ts';
import { modelSql } from './model-sql.ts';
import { isoTime } from './names.ts';

type Judged = SampleRow & { readonly state: DiffState; readonly reason: string | null; readonly known: boolean };
type Acknowledged = NonNullable<Explanation['acknowledged']>;

/** All that is known of one key. */
export async function explain(books: BooksConnection, request: CompareRequest, key: string, attempt: Attempt): Promise<Explanation> {
  return await compare(books, request, attempt, async (comparison) => {
    const { client, syncNo } = comparison;
    const model = await modelRow(comparison, key);
    const acknowledged = await ledgerRow(comparison, key);
    const open = syncNo === undefined ? null : await findOpen(client, syncNo, key);
    const judged = await judge(comparison, key);
    const facts = { request, judged, open, acknowledged };
    const isPlanned = judged?.state === 'planned' && !isSharing(open);
    return {
      key,
      verdict: [...comparison.notes, verdictOf(facts)].join('. '),
      model,
      acknowledged,
      open,
      planned: isPlanned ? previewRow(request.sync, judged) : null,
      log: syncNo === undefined ? [] : await findLog(client, syncNo, key),
    };
  });
}

/** Rows of other keys that have the same match aren't looked at again: the last run saw them. */
function isSharing(open: OpenRow | null): boolean {
  return open?.outcome === 'invalid' && open.reason?.startsWith('other rows') === true;
}

async function modelRow({ client, diff }: Comparison, key: string): Promise<Explanation['model']> {
  const model = modelSql(diff.sync, diff.columns);
  const { rows } = await client.query<{ row: string }>(
    `SELECT ${model.row} AS row FROM (${diff.sql}) AS "model" WHERE ${model.key} = $1 LIMIT 1`,
    [key],
  );
  return rows[0] === undefined ? null : (JSON.parse(rows[0].row) as Readonly<Record<string, unknown>>);
}

async function ledgerRow({ client, syncNo, diff }: Comparison, key: string): Promise<Explanation['acknowledged']> {
  if (syncNo === undefined || diff.books.ledgerRows === 0) return null;
  const { rows } = await client.query<Acknowledged>(
    `SELECT ${isoTime('at')} AS at, remote_id AS "remoteId" FROM _millrace.ledger_rows WHERE sync_no = $1 AND key = $2`,
    [syncNo, key],
  );
  return rows[0] ?? null;
}

async function judge({ client, diff }: Comparison, key: string): Promise<Judged | undefined> {
  const query = diffSql(
    { ...diff, counted: true, only: key },
    (inner, columns) => `(${inner}) AS picks (${columns.map(([name]) => name).join(', ')})`,
  );
  try {
    const { rows } = await client.query<Judged & { readonly listed: string | null }>(
      `SELECT state, reason, known, key, change, operation, vals, array_to_json(changed)::text AS listed FROM (${query}) diff
       WHERE key = ${quoteLiteral(key)} OR state IN ('matched', 'added', 'removed') LIMIT 1`,
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    return { ...row, changed: row.listed === null ? null : (JSON.parse(row.listed) as readonly number[]) };
  } catch (error) {
    throw queryFailed(error, `model ${diff.sync.model.name}`);
  }
}

interface Facts {
  readonly request: CompareRequest;
  readonly judged: Judged | undefined;
  readonly open: OpenRow | null;
  readonly acknowledged: Explanation['acknowledged'];
}

function verdictOf(facts: Facts): string {
  const { judged, open, request } = facts;
  if (judged === undefined) return `no row of model ${request.sync.model.name} has this key, and none was ever acknowledged under it`;
  if (judged.state === 'invalid' || isSharing(open)) {
    return `it is invalid: ${judged.reason ?? open?.reason ?? 'no reason'}; nothing is sent until the model is mended`;
  }
  if (open !== null && open.outcome !== 'invalid') return openVerdict(facts, open, judged);
  return judged.state === 'planned' ? `the next run sends it (${judged.change}: ${judged.operation})` : restVerdict(facts, judged);
}

function openVerdict({ request }: Facts, open: OpenRow, judged: Judged): string {
  const why = open.reason === null ? '' : ` (${open.reason})`;
  const next = judged.state === 'planned' ? 'the next run sends it again' : undefined;
  if (open.outcome === 'unknown') {
    return `nobody knows whether its last request had its effect${why}; ${next ?? 'it waits until somebody says that it was sent or lost'}`;
  }
  if (open.outcome === 'sent') return `it was sent at ${open.at} and the answer is missing; ${next ?? 'a run settles that'}`;
  return refusedVerdict(request, open, judged, why);
}

function refusedVerdict({ sync }: CompareRequest, open: OpenRow, { state }: Judged, why: string): string {
  const when = open.attempts === 1 ? `once${why}, at ${open.at}` : `${open.attempts} times${why}, at last at ${open.at}`;
  const again =
    state === 'waiting'
      ? `it is sent again after ${open.nextAt}, when its values change, or with a retry`
      : 'nothing is to be sent any more';
  return `the application refused it ${when}; ${state === 'planned' ? 'the next run sends it again' : again} (sync ${sync.name})`;
}

/** Rows that need nothing. */
function restVerdict({ request, acknowledged }: Facts, judged: Judged): string {
  const { sync } = request;
  const when = acknowledged === null ? '' : ` at ${acknowledged.at}`;
  const isGone = judged.state === 'removed' || judged.change === 'removed';
  if (isGone) return `it left the model after it was acknowledged${when}; mode ${sync.mode} removes nothing`;
  if (judged.state === 'moved') return 'it left the model, but another row has its match now: its object stays';
  if (judged.state === 'added') return `it is new in the model; mode ${sync.mode} doesn't send new rows`;
  const changes = request.operations.changed !== undefined;
  return changes
    ? `it is unchanged since it was acknowledged${when}`
    : `it was acknowledged${when}; mode ${sync.mode} doesn't send changes of rows`;
}
