import type { SyncPreview } from '../../../schema/sync-books.ts';
import { MillraceError } from '../../../schema/errors.ts';
import type { Attempt } from '../../connector.ts';
import { queryFailed } from '../warehouse/model-query.ts';
import { compare, previewRow, type Comparison, type CompareRequest, type SampleRow } from './compare.ts';
import type { BooksConnection } from './connection.ts';
import { diffSql, type DiffRequest } from './diff.ts';
import { guardDeletes, hasHiddenRepeats, repeatsSql, totalsOf, totalsSql, type PlanTotals, type TotalRow } from './totals.ts';

interface PreviewResult {
  readonly totals: string | null;
  readonly invalid: string | null;
  readonly samples: string | null;
  readonly bytes: string;
  readonly fields: string;
  readonly repeats: boolean;
}

/** What a run would do, without a word written. */
export async function preview(books: BooksConnection, request: CompareRequest, samples: number, attempt: Attempt): Promise<SyncPreview> {
  return await compare(books, request, attempt, async (comparison) => {
    const { diff } = comparison;
    const first = await look(comparison, diff, samples);
    const isRepeated = !diff.counted && (first.result.repeats || hasHiddenRepeats(first.totals, diff.books.ledgerRows));
    const found = isRepeated ? await look(comparison, { ...diff, counted: true }, samples) : first;
    const { totals, result } = found;
    return {
      modelRows: totals.modelRows,
      ledgerRows: diff.books.ledgerRows,
      operations: totals.operations,
      again: totals.again,
      unchanged: totals.unchanged,
      waiting: totals.waiting,
      invalid: (JSON.parse(result.invalid ?? '[]') as SyncPreview['invalid']).map((one) => ({ ...one, rows: Number(one.rows) })),
      fields: Number(result.fields),
      bytes: Number(result.bytes),
      samples: (JSON.parse(result.samples ?? '[]') as readonly SampleRow[]).map((row) => previewRow(request.sync, row)),
      notes: [...comparison.notes, ...totals.notes, ...guardNotes(request, totals, diff.books.ledgerRows)],
    };
  });
}

async function look(
  { client }: Comparison,
  diff: DiffRequest,
  samples: number,
): Promise<{ readonly totals: PlanTotals; readonly result: PreviewResult }> {
  const query = diffSql(diff, (inner, columns) => `(${inner}) AS picks (${columns.map(([name]) => name).join(', ')})`);
  const fields = `CASE WHEN operation IN ('delete', 'archive', 'remove') THEN 0 ELSE coalesce(cardinality(changed), ${diff.sync.map.length}) END`;
  try {
    const { rows } = await client.query<PreviewResult>(
      `WITH diff AS MATERIALIZED (${query}) SELECT
        (SELECT json_agg(t)::text FROM (${totalsSql('diff')}) t) AS totals,
        (SELECT json_agg(i)::text FROM (SELECT reason, sum(n)::bigint AS rows, (array_agg(DISTINCT key))[1:3] AS keys FROM diff WHERE state = 'invalid'
          GROUP BY reason ORDER BY 2 DESC) i) AS invalid,
        (SELECT json_agg(s)::text FROM (SELECT key, change, operation, vals, changed FROM diff WHERE state = 'planned' ORDER BY no LIMIT $1) s) AS samples,
        (SELECT coalesce(sum(octet_length(vals)), 0) FROM diff WHERE state = 'planned') AS bytes,
        (SELECT coalesce(sum(${fields}), 0) FROM diff WHERE state = 'planned') AS fields, ${repeatsSql('diff')} AS repeats`,
      [samples],
    );
    const result = rows[0] ?? { totals: null, invalid: null, samples: null, bytes: '0', fields: '0', repeats: false };
    return { totals: totalsOf(JSON.parse(result.totals ?? '[]') as readonly TotalRow[]), result };
  } catch (error) {
    throw queryFailed(error, `model ${diff.sync.model.name}`);
  }
}

function guardNotes({ sync }: CompareRequest, totals: PlanTotals, ledgerRows: number): readonly string[] {
  try {
    guardDeletes(sync, totals, ledgerRows);
    return [];
  } catch (error) {
    if (error instanceof MillraceError) return [error.message];
    throw error;
  }
}
