import type { Attempt, Books, Page, ReadPages } from '../connectors/connector.ts';
import type { Column } from '../schema/column.ts';
import { MillraceError } from '../schema/errors.ts';
import type { StagedFormat } from '../schema/load.ts';
import { openRejections } from './open-rejections.ts';
import { partitionOf, type PlanFile } from './plan-file.ts';
import { valuesOf, type RetryRange } from './retried-row.ts';

const newline = '\n';
const pageBytes = 1 << 20;
const csv: StagedFormat = { kind: 'csv' };

const quoted = (value: string | null): string => (value === null ? '' : `"${value.replaceAll('"', '""')}"`);

/** One row, as a line of the partition's format; undefined when it isn't what the plan saw. */
function lineOf(row: unknown, format: StagedFormat, input: readonly Column[], range: RetryRange): string | undefined {
  if (typeof row === 'string') return row;
  const retried = valuesOf(row, { names: new Set(input.map(({ name }) => name)), renamed: new Map(range) });
  if (!('values' in retried)) return undefined;
  if (format.kind !== 'csv') return JSON.stringify(retried.values);
  return input.map(({ name }) => quoted(retried.values[name] ?? null)).join(',');
}

async function* pagesOf(books: Books, plan: PlanFile, no: number, attempt: Attempt): AsyncGenerator<Page> {
  const { load, input } = plan;
  const { format = csv, range } = partitionOf(plan, no);
  const ids = load.retries?.[no] ?? [];
  const wanted = new Set(ids);
  let [text, rows] = ['', 0];
  for await (const { id, row } of openRejections(books, load, attempt)) {
    if (!wanted.has(id)) continue;
    const line = lineOf(JSON.parse(row ?? 'null'), format, input, range as RetryRange);
    if (line === undefined) continue;
    text += `${line}${newline}`;
    rows += 1;
    if (text.length < pageBytes) continue;
    yield { bytes: Buffer.from(text), rows };
    text = '';
  }
  if (rows !== ids.length) {
    throw new MillraceError(
      'conflict',
      `pipeline ${load.pipeline}, stream ${load.stream}: ${ids.length - rows} of ${ids.length} rejections were closed or removed since this retry was planned; it is planned again`,
    );
  }
  yield { bytes: Buffer.from(text), rows };
}

/** Reads one partition of a retry: rejected rows as they were read, in the order they were kept. */
export function readRetry(books: Books, plan: PlanFile, no: number, attempt: Attempt): ReadPages {
  return { format: partitionOf(plan, no).format ?? csv, pages: pagesOf(books, plan, no, attempt) };
}
