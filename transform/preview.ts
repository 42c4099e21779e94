import type { Column } from '../schema/column.ts';
import { rejectionColumns } from '../schema/load.ts';
import { Engine } from './engine.ts';
import { ownDialect, readCsv } from './inputs.ts';
import { transform, type TransformRequest, type TransformResult } from './transform.ts';

/** What a transform would do, with values, for the person who asked. Values are texts in PostgreSQL's form, NULL is null. */
export interface Preview extends TransformResult {
  readonly columns: readonly Column[];
  readonly passed: readonly (readonly (string | null)[])[];
  /** Rejections by the names of `rejectionColumns`. */
  readonly refused: readonly Readonly<Record<(typeof rejectionColumns)[number], string | null>>[];
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

async function head(
  request: TransformRequest,
  path: string,
  names: readonly string[],
  limit: number,
): Promise<readonly (readonly (string | null)[])[]> {
  await using engine = await Engine.open({
    ...request,
    beat: () => undefined,
    signal: request.signal,
    paths: [path],
    folders: [],
  });
  const columns = names.map((name) => ({ name, type: 'text' }));
  const file = { whole: undefined, pieces: [path], newline: '\n', good: 0, broken: 0, longest: 1 << 24 } as const;
  const rows = await engine.rows(`SELECT * FROM ${readCsv(file, ownDialect(columns))} LIMIT ${limit}`);
  return rows.map((row) => names.map((_, index) => text(row[`f${index}`])));
}

/** Runs the transform into its two files and gives the first rows of each. */
export async function preview(request: TransformRequest, limit: number): Promise<Preview> {
  const result = await transform(request);
  const names = request.output.map((column) => column.name);
  const passed = await head(request, request.outputPath, names, limit);
  const refused = await head(request, request.rejectionsPath, rejectionColumns, limit);
  return {
    ...result,
    columns: request.output,
    passed,
    refused: refused.map(
      ([partition = null, file = null, position = null, key = null, column = null, rule = null, reason = null, row = null]) => ({
        partition,
        file,
        position,
        key,
        column,
        rule,
        reason,
        row,
      }),
    ),
  };
}
