import type { Column } from '../../schema/column.ts';
import type { FileDialect } from '../../schema/load.ts';
import { nameColumns } from './columns.ts';
import { scanRecords } from './record-scan.ts';
import type { FilesReadOptions } from './settings.ts';
import { commonestWidth, type CsvForm, sniff } from './sniff.ts';

/** Bytes at the beginning of a file that its form is found from. */
export const sampleBytes = 1024 * 1024;
/** Several lines of the greatest length are held in memory when a file is parsed; a longer one is a quote that was never closed. */
const longestLine = 16 * 1024 * 1024;
const margin = 1024;

/** What a file holds. An empty one has no columns. */
export interface Inspected {
  readonly dialect: FileDialect;
  readonly columns: readonly Column[];
  readonly rows: number;
  readonly notes: readonly string[];
}

/** Finds the dialect of a CSV file from its beginning; with the whole text, also its rows and longest record. Both are UTF-8. */
export async function inspectCsv(
  sample: Buffer,
  whole: AsyncIterable<Uint8Array> | undefined,
  path: string,
  options: FilesReadOptions,
): Promise<Inspected> {
  const usual = /\.(tsv|tab)(\.gz)?$/i.test(path) ? '\t' : ',';
  const { form, rows, mixedNewlines } = sniff(wholeLines(sample), options, usual);
  const { names, notes } = nameColumns(headerOf(rows, form));
  const scan = scanRecords(form);
  if (whole !== undefined) for await (const chunk of whole) scan.take(chunk);
  const { records, longest } = scan.result();
  if (mixedNewlines) notes.push('lines end in different ways');
  if (options.header === undefined && !form.header && names.length > 0) {
    notes.push('its first line was taken for data, not for names; set read.header to say otherwise');
  }
  return {
    dialect: { type: 'csv', ...form, encoding: 'utf-8', maxLineBytes: Math.min(longest * 2 + margin, longestLine), columns: names },
    columns: names.map((name) => ({ name, type: 'text' })),
    rows: Math.max(records - (form.header ? 1 : 0), 0),
    notes,
  };
}

function headerOf(rows: readonly (readonly string[])[], form: CsvForm): readonly string[] {
  if (form.header) return rows[0] ?? [];
  return Array.from({ length: commonestWidth(rows).width }, (_, index) => `column${index + 1}`);
}

/** The text without the line that the sample cut. */
function wholeLines(sample: Buffer): string {
  if (sample.byteLength < sampleBytes) return sample.toString('utf8');
  const end = Math.max(sample.lastIndexOf(0x0a), sample.lastIndexOf(0x0d));
  return sample.subarray(0, end === -1 ? sample.byteLength : end + 1).toString('utf8');
}
