import { z } from 'zod';

export const filesSettings = z
  .strictObject({
    type: z.literal('files').describe('A folder of files, as source, and as destination of a sync.'),
    path: z.string().min(1).describe('The folder, relative to the project file or absolute. Each worker must see it under the same path.'),
  })
  .describe('A folder of CSV, NDJSON, JSON or Parquet files.');
export type FilesSettings = z.infer<typeof filesSettings>;

/** How a stream's files are to be read; what isn't given is found out from the beginning of each file when a run is planned. */
export const filesReadOptions = z
  .strictObject({
    format: z
      .enum(['csv', 'ndjson', 'json', 'parquet'])
      .describe(
        'What the files are. Default: by the name (`.csv .tsv .txt .ndjson .jsonl .json .parquet`); text files may be packed (`.gz`).',
      )
      .optional(),
    delimiter: z.string().length(1).describe('CSV: what stands between values. Default: found in the file.').optional(),
    quote: z.string().max(1).describe('CSV: what values are quoted with; empty for files that never quote. Default: `"`.').optional(),
    escape: z
      .string()
      .length(1)
      .describe('CSV: what stands before a quote inside a quoted value. Default: the quote itself, or a backslash where the file uses it.')
      .optional(),
    header: z
      .boolean()
      .describe(
        'CSV: whether the first line holds the names; without one columns are `column1`, `column2`, … Default: it does, unless it has numbers or dates where the lines below have them too.',
      )
      .optional(),
    encoding: z
      .enum(['utf-8', 'utf-16', 'latin-1'])
      .describe(
        'CSV: how characters are written as bytes; `latin-1` includes Windows-1252. Default: by the byte order mark, else found in the file.',
      )
      .optional(),
  })
  .describe('How the files are to be read.');
export type FilesReadOptions = z.infer<typeof filesReadOptions>;

/** How a sync's files are written. */
export const filesWriteOptions = z
  .strictObject({
    format: z.enum(['csv', 'ndjson']).meta({ description: 'What the files are.', default: 'csv' }).optional(),
    formulas: z
      .enum(['escape', 'keep'])
      .meta({
        description:
          "CSV: what becomes of texts that a spreadsheet would run as a formula (they begin with `= + - @`, a tab or a line's end): `escape` puts an apostrophe before them.",
        default: 'escape',
      })
      .optional(),
  })
  .describe("How a sync's files are to be written.");
