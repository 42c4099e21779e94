import type { Column } from '../../schema/column.ts';
import type { FileDialect } from '../../schema/load.ts';
import { nameColumns } from './columns.ts';
import type { FoundFile } from './find-files.ts';
import { countRecords } from './records.ts';
import type { FilesReadOptions } from './settings.ts';
import { commonestWidth, type CsvForm, sniff } from './sniff.ts';

/** Bytes at the beginning of a file that its form is found from. */
export const sampleBytes = 1024 * 1024;

/** What a file holds. An empty one has no columns. */
export interface Inspected {
  readonly dialect: FileDialect;
  readonly columns: readonly Column[];
  /** An estimate where only the beginning of a file was looked at. */
  readonly rows: number;
  readonly notes: readonly string[];
}

/** Finds the dialect of a CSV file of `size` bytes from its beginning, which is UTF-8. */
export function inspectCsv(sample: Buffer, { path, size }: FoundFile, options: FilesReadOptions): Inspected {
  const usual = /\.(tsv|tab)(\.gz)?$/i.test(path) ? '\t' : ',';
  const { form, rows, mixedNewlines } = sniff(wholeLines(sample), options, usual);
  const { names, notes } = nameColumns(headerOf(rows, form));
  if (mixedNewlines) notes.push('lines end in different ways');
  if (options.header === undefined && !form.header && names.length > 0) {
    notes.push('its first line was taken for data, not for names; set read.header to say otherwise');
  }
  const records = Math.max(countRecords(form, sample) - (form.header ? 1 : 0), 0);
  return {
    dialect: { type: 'csv', ...form, encoding: 'utf-8', columns: names },
    columns: names.map((name) => ({ name, type: 'text' })),
    rows: sample.byteLength < sampleBytes ? records : Math.round((records * Math.max(size, sample.byteLength)) / sample.byteLength),
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
