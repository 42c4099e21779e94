import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Column } from '../../schema/column.ts';
import { rejectionColumns, type FileDialect, type StagedFormat } from '../../schema/load.ts';
import type { Step } from '../../schema/step.ts';
import { describe as describeSteps, transform, type TransformRequest, type TransformResult } from '../../transform/transform.ts';

export type Row = readonly (string | null)[];

/** The one CSV's rows. */
function parseCsv(text: string): readonly Row[] {
  const rows: (string | null)[][] = [];
  const value = /(?:"((?:[^"]|"")*)"|)(,|\n)/gy;
  let row: (string | null)[] = [];
  for (let match = value.exec(text); match !== null; match = value.exec(text)) {
    row.push(match[1] === undefined ? null : match[1].replaceAll('""', '"'));
    if (match[2] === '\n') {
      rows.push(row);
      row = [];
    }
    if (value.lastIndex === text.length) break;
  }
  return rows;
}

export function formatCsv(rows: readonly Row[]): string {
  return rows.map((row) => `${row.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',')}\n`).join('');
}

type CsvDialect = Extract<FileDialect, { type: 'csv' }>;

export function csvFormat(columns: readonly string[], dialect: Partial<CsvDialect> = {}): StagedFormat {
  return {
    kind: 'foreign',
    dialect: {
      type: 'csv',
      delimiter: ',',
      quote: '"',
      escape: '"',
      header: true,
      encoding: 'utf-8',
      newline: '\n',
      maxLineBytes: 1 << 20,
      columns,
      ...dialect,
    },
  };
}

export function text(...names: readonly string[]): readonly Column[] {
  return names.map((name) => ({ name, type: 'text' }));
}

export interface Case {
  /** Bytes of each input. */
  readonly files: readonly (string | Uint8Array)[];
  readonly format?: StagedFormat;
  readonly columns: readonly Column[];
  readonly steps?: readonly Step[];
  readonly request?: Partial<TransformRequest>;
}

export interface Outcome extends TransformResult {
  readonly columns: readonly Column[];
  readonly output: readonly Row[];
  readonly text: string;
  readonly rejections: readonly Readonly<Record<string, string | null>>[];
}

/** Runs a transform over files with the given bytes. */
export async function run({ files, format = { kind: 'csv' }, columns, steps = [], request = {} }: Case): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-transform-'));
  try {
    const inputs = [];
    for (const [no, bytes] of files.entries()) {
      const path = join(folder, `input-${no}`);
      await writeFile(path, bytes);
      inputs.push({ path, format, partition: no, label: `file-${no}.csv` });
    }
    const output = await describeSteps(columns, steps, { pipeline: 'p', stream: 's' });
    const paths = { outputPath: join(folder, 'out.csv'), rejectionsPath: join(folder, 'rejected.csv') };
    const result = await transform({
      pipeline: 'p',
      stream: 's',
      inputs,
      columns,
      steps,
      output,
      key: [],
      onFailure: 'reject',
      protect: [],
      ordered: false,
      files: 1,
      ...paths,
      memoryLimit: '384MB',
      threads: 2,
      tempFolder: join(folder, 'temp'),
      signal: new AbortController().signal,
      beat: () => undefined,
      ...request,
    });
    const parts = await Promise.all(result.files.map(({ path }) => readFile(path, 'utf8')));
    assert.deepEqual(
      parts.map((part) => parseCsv(part).length),
      result.files.map(({ rows }) => rows),
    );
    const written = parts.join('');
    const rejected = await readFile(paths.rejectionsPath, 'utf8');
    const rejections = parseCsv(rejected).map((row) => Object.fromEntries(rejectionColumns.map((name, at) => [name, row[at] ?? null])));
    return { ...result, columns: output, output: parseCsv(written), text: written, rejections };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
