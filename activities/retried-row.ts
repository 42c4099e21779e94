import type { BookedRejection } from '../schema/books.ts';
import type { StreamDefinition } from '../schema/definition.ts';
import type { StagedFormat } from '../schema/load.ts';
import type { Step } from '../schema/step.ts';
import type { Partition } from '../schema/stream.ts';
import { isRecord } from '../transform/csv-file.ts';

/** Values as they were read, by column. */
type RetriedValues = Readonly<Record<string, string | null>>;

/** A rejection that can be taken up again: values that were read, or a line that was not understood; else why it can't. */
export type Retried = { readonly values: RetriedValues } | { readonly line: string; readonly file: string } | { readonly left: string };

/** What `renamed` of the shape is, in a plan. */
export type RetryRange = readonly (readonly [string, string])[];

/** What a stream reads at present. */
export interface PresentShape {
  readonly definition: StreamDefinition;
  /** Names of the columns as the source has them. */
  readonly names: ReadonlySet<string>;
  /** Names that the source's own query gives them, to those names. */
  readonly renamed: ReadonlyMap<string, string>;
  /** Formats of the files that are there, by their names. */
  readonly files: ReadonlyMap<string, StagedFormat>;
}

/** Longer texts were cut when they were kept. */
const longestLine = 1 << 16;
const mask = '***';

const left = {
  failed: 'are of loads that failed: the next run reads their rows again',
  derived: 'were refused behind a sql step, which kept no row as it was read: load them with --full-refresh',
  unkeyed: 'have no value in the key: correct the source',
  unknownKey: "don't say their key, so newer rows could be overwritten: load them with --full-refresh",
  masked: 'have masked values (protect): load their rows with --full-refresh',
  cut: `are longer than the ${longestLine} characters that are kept: load their rows with --full-refresh`,
  unread: "still can't be read as rows: correct the file",
  gone: 'are lines of files that are not there any more',
  other: 'have other columns than the stream has now',
} as const;

/** Names after the source's query to names in the source, where steps that the query took over renamed columns. */
export function renamedBy(names: readonly string[], taken: readonly Step[]): ReadonlyMap<string, string> {
  let now = new Map(names.map((name) => [name, name]));
  for (const step of taken) {
    if ('select' in step) now = new Map([...now].filter(([name]) => step.select.includes(name)));
    else if ('drop' in step) now = new Map([...now].filter(([name]) => !step.drop.includes(name)));
    else if ('rename' in step) now = new Map([...now].map(([name, raw]) => [step.rename[name] ?? name, raw]));
  }
  return now;
}

/**
 * The steps for rows that the source's query has had already: all, for those that a query can do change nothing when they are done again; but
 * not the filters on columns that the query then left out, whose values weren't kept.
 */
export function stepsAgain(steps: readonly Step[], stepsTaken: number): readonly Step[] {
  const lastLeftOut = steps.slice(0, stepsTaken).findLastIndex((step) => 'select' in step || 'drop' in step);
  return steps.filter((step, at) => !('filter' in step) || at > lastLeftOut);
}

export function partitionFormats(partitions: readonly Partition[]): ReadonlyMap<string, StagedFormat> {
  return new Map(partitions.flatMap(({ label, format }) => (format === undefined ? [] : [[label, format]])));
}

/** What can be done with a rejection under the present definition. */
export function retriedOf(rejection: BookedRejection, shape: PresentShape): Retried {
  if (!rejection.committed) return { left: left.failed };
  if (rejection.partition === null || rejection.row === null) return { left: left.unkeyed };
  if (rejection.position === null) return { left: left.derived };
  const { mode, cursor } = shape.definition;
  if (rejection.key === null && cursor === undefined && (mode === 'merge' || mode === 'history')) return { left: left.unknownKey };
  const row: unknown = JSON.parse(rejection.row);
  return typeof row === 'string' ? lineOf(row, rejection.file, shape) : valuesOf(row, shape);
}

function lineOf(line: string, file: string | null, { files }: PresentShape): Retried {
  if (line === mask) return { left: left.masked };
  if (line.length >= longestLine) return { left: left.cut };
  const format = files.get(file ?? '');
  if (file === null || format?.kind !== 'foreign') return { left: left.gone };
  const { dialect } = format;
  return dialect.type === 'csv' && isRecord(line, dialect) ? { line, file } : { left: left.unread };
}

/** A row's values by the names that its source has. */
export function valuesOf(row: unknown, { names, renamed }: Pick<PresentShape, 'names' | 'renamed'>): Retried {
  if (typeof row !== 'object' || row === null) return { left: left.unread };
  const values = Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)] as const);
  if (values.some(([, value]) => value === mask)) return { left: left.masked };
  const asRead = values.every(([name]) => names.has(name));
  const asQueried = values.every(([name]) => renamed.has(name));
  const same = asQueried && values.every(([name]) => renamed.get(name) === name);
  if (same || (asRead && !asQueried)) return { values: Object.fromEntries(values) };
  if (!asQueried || asRead) return { left: left.other };
  return { values: Object.fromEntries(values.map(([name, value]) => [renamed.get(name) ?? name, value])) };
}
