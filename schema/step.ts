import { z } from 'zod';

const columnName = z.string().min(1);
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const onFailure = z
  .enum(['reject', 'fail', 'null'])
  .describe('What becomes of a row that fails: kept as a rejection (default), the load fails, or the value becomes NULL.');

const trim = z
  .strictObject({ trim: z.union([z.literal('all'), z.array(columnName).min(1)]).describe('`all` text columns, or a list of columns.') })
  .describe(
    'Removes white space at both ends of text values: space, tab, line feed, vertical tab, form feed, carriage return, no-break space.',
  );

const nullif = z
  .strictObject({
    nullif: z
      .union([
        z.array(z.string()).min(1),
        z.strictObject({
          columns: z.array(columnName).min(1).describe('The columns it looks at.'),
          values: z.array(z.string()).min(1).describe('Texts that mean NULL, compared exactly.'),
        }),
      ])
      .describe('Texts that mean NULL, in all text columns or in those named.'),
  })
  .describe('Turns placeholder texts into NULL.');

const castTarget = z.union([
  z.string().describe('A type: `boolean integer bigint "numeric(p,s)" double date timestamp timestamptz uuid jsonb text` …'),
  z.strictObject({
    to: z.string().describe('The type.'),
    format: z.string().optional().describe('How dates and times are written, in strptime letters: `%d.%m.%Y`.'),
    decimal: z.enum(['.', ',']).optional().describe('The decimal sign of numbers; the other of the two is taken as thousands separator.'),
    on_failure: onFailure.optional(),
  }),
]);

const cast = z
  .strictObject({ cast: z.record(columnName, castTarget).describe('Column to type.') })
  .describe('Converts types; a value that cannot be converted exactly fails its row.');

const select = z
  .strictObject({ select: z.array(columnName).min(1).describe('Columns to keep, in this order.') })
  .describe('Keeps only these columns.');
const rename = z.strictObject({ rename: z.record(columnName, columnName).describe('Old name to new name.') }).describe('Renames columns.');
const drop = z.strictObject({ drop: z.array(columnName).min(1).describe('Columns to leave out.') }).describe('Leaves columns out.');

const comparison = z
  .strictObject({
    eq: scalar.optional().describe('Equal to.'),
    ne: scalar.optional().describe('Not equal to.'),
    gt: scalar.optional().describe('Greater than.'),
    gte: scalar.optional().describe('Greater than or equal to.'),
    lt: scalar.optional().describe('Less than.'),
    lte: scalar.optional().describe('Less than or equal to.'),
    in: z.array(scalar).min(1).optional().describe('One of these.'),
    is_null: z.boolean().optional().describe('true: is NULL; false: is not NULL.'),
  })
  .describe('Comparisons of one column; all must hold.');

const filter = z
  .strictObject({
    filter: z
      .union([
        z.string().min(1).describe('A SQL condition (DuckDB).'),
        z.record(columnName, comparison).describe('Column to comparisons; all must hold.'),
      ])
      .describe('A SQL condition, or comparisons by column.'),
  })
  .describe('Keeps the rows for which the condition is true; the others are counted as filtered.');

const derive = z
  .strictObject({
    derive: z
      .record(
        columnName,
        z.union([
          z.string().min(1),
          z.strictObject({
            sql: z.string().min(1).describe('A SQL expression (DuckDB).'),
            type: z.string().optional().describe('The type of the result.'),
          }),
        ]),
      )
      .describe('New or replaced column to SQL expression over the columns so far.'),
  })
  .describe('Adds computed columns.');

const dedupe = z
  .strictObject({
    dedupe: z
      .strictObject({
        key: z.array(columnName).min(1).describe('Rows equal in these columns are one.'),
        order: z
          .array(z.string().regex(/^\S+(\s+(asc|desc))?$/i, 'must be a column, perhaps with asc or desc'))
          .min(1)
          .describe(
            'Which of them stays: the first in this order, `column [asc|desc]`; `_file` and `_line` give the position. NULLs come last.',
          ),
      })
      .describe('Key and order.'),
  })
  .describe('Keeps one row of each key; the others are counted as duplicates.');

const rule = z
  .strictObject({
    not_null: z.boolean().optional().describe('The value is there.'),
    unique: z.boolean().optional().describe('No two rows of the load have the same value; NULLs are ignored.'),
    min: scalar.optional().describe('The least value allowed.'),
    max: scalar.optional().describe('The greatest value allowed.'),
    pattern: z.string().optional().describe('A regular expression (RE2) that the whole text matches.'),
    in: z.array(scalar).min(1).optional().describe('The values allowed.'),
    sql: z.string().optional().describe('A SQL condition (DuckDB) that is not false.'),
    on_failure: onFailure.optional(),
  })
  .describe('Rules for one column; NULL passes every rule but `not_null`.');

const expect = z
  .strictObject({ expect: z.record(columnName, rule).describe('Column to rules.') })
  .describe('Data-quality rules: a row that breaks one fails.');

const sql = z
  .strictObject({ sql: z.string().min(1).describe('A SELECT (DuckDB) over the table `input`, which holds the columns so far.') })
  .describe('Any query over the whole stream; it may leave rows out (counted as filtered) but not add any.');

export const stepSchemas = { select, rename, drop, trim, nullif, cast, filter, derive, dedupe, expect, sql } as const;

/** One transform step: an object with exactly one of the step names as its key. */
export const stepSchema = z.union([select, rename, drop, trim, nullif, cast, filter, derive, dedupe, expect, sql]);
export type Step = z.infer<typeof stepSchema>;
export type CastTarget = z.infer<typeof castTarget>;
export type Comparison = z.infer<typeof comparison>;
export type Rule = z.infer<typeof rule>;
export type OnFailure = z.infer<typeof onFailure>;
