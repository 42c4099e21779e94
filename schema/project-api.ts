import { z } from 'zod';
import { duration, unlike } from './quantity.ts';

/** What a setting of an API is when the file doesn't give it. */
export const apiDefaults = {
  limit: { default: 50, max: 1000 },
  rate: '600/min',
} as const;

const column = z.string().min(1);
const columns = z.union([column, z.array(column).min(1)]);
const table = z.string().regex(/^[^.]+\.[^.]+$/, 'must be a schema and a table or view, as in "marts.customers"');
const name = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, 'must be a name: letters, digits and "_", beginning with a letter, at most 63')
  .refine((text) => !text.startsWith('__'), 'must not begin with "__"');

/** Requests in a time: milliseconds and how many. */
export interface Rate {
  readonly requests: number;
  readonly per: number;
}

const units: Readonly<Record<string, number>> = {
  s: 1000,
  sec: 1000,
  second: 1000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
};

/** `600/min` as requests and milliseconds; undefined when it isn't a rate. */
export function parseRate(text: string): Rate | undefined {
  const match = /^(\d+)\s*\/\s*([a-z]+)$/i.exec(text.trim());
  const per = units[(match?.[2] ?? '').toLowerCase()];
  const requests = Number(match?.[1]);
  return per === undefined || requests < 1 ? undefined : { requests, per };
}

const wrongRate = unlike('a rate', 'such as "600/min", "20/s" or "10000/hour"', (amount) =>
  ['/s', '/min'].map((unit) => amount + unit).filter((text) => parseRate(text) !== undefined),
);

export const rate = (): z.ZodString => z.string({ error: wrongRate }).refine((text) => parseRate(text) !== undefined, { error: wrongRate });

const maskKinds = ['hash', 'redact', 'null'] as const;

export const relationSettings = z
  .strictObject({
    api: z.string().min(1).describe('The API whose dataset it is; its roles hold there too.').optional(),
    dataset: table
      .describe(
        'Schema and table of a dataset. Where an API publishes it, the roles of that API hold; where none does, it is seen through this relation alone.',
      )
      .optional(),
    on: z
      .union([columns, z.record(column, column)])
      .describe('The column or columns that are equal on both sides, or own column to the column of the other.'),
    fields: z.array(column).min(1).describe('Of a dataset without an API of its own: the columns that are seen. Default: all.').optional(),
    one: z.boolean().meta({ description: 'At most one row belongs to it: an object instead of a list.', default: false }).optional(),
  })
  .describe('Rows of another dataset that belong to a row.');

export const roleSettings = z
  .strictObject({
    fields: z
      .union([z.literal('all'), z.array(column).min(1)])
      .describe(
        'Columns and relations that the role sees; `all` takes in those that are added later, but not `_load_id` and `_loaded_at`.',
      ),
    rows: z
      .string()
      .min(1)
      .describe(
        'A condition in SQL that each row must meet; `${claim:name}` is a claim of the token, bound as a parameter. Default: all rows.',
      )
      .optional(),
    mask: z
      .record(column, z.enum(maskKinds))
      .describe(
        'Columns that are shown altered: `hash` (HMAC, equal values stay equal), `redact` (***) or `null`. They can not be filtered or sorted by.',
      )
      .optional(),
  })
  .describe('What callers of a role see.');

export const apiSettings = z
  .strictObject({
    dataset: table.describe('Schema and table, or view, of the warehouse.').optional(),
    model: z.string().min(1).describe('A model, in place of `dataset`.').optional(),
    warehouse: z.string().describe('The connection it is in. Default: the one that all pipelines load.').optional(),
    key: columns.describe("Column or columns that identify a row: never NULL, and no two rows alike. Default: the model's key.").optional(),
    relations: z.record(name, relationSettings).describe('Name to relation.').optional(),
    roles: z
      .record(name, roleSettings)
      .refine((roles) => Object.keys(roles).length > 0, 'must name at least one role')
      .describe('Role to what it sees; who has none of them gets nothing. The role `anonymous` is for callers without a token.'),
    cache: z
      .strictObject({
        ttl: duration().describe('How long an answer may be given again.'),
        until: z
          .enum(['load', 'ttl'])
          .meta({ description: '`load`: a commit to what it reads ends it at once. `ttl`: the time alone.', default: 'load' })
          .optional(),
      })
      .describe('Keeps answers. Default: none are kept.')
      .optional(),
    rate: z
      .union([rate(), z.record(name, rate())])
      .meta({ description: 'Requests of one token on this API, or role to that: `600/min`.', default: apiDefaults.rate })
      .optional(),
    limit: z
      .strictObject({
        default: z
          .number()
          .int()
          .min(1)
          .max(10_000)
          .meta({ description: 'Rows of a page.', default: apiDefaults.limit.default })
          .optional(),
        max: z
          .number()
          .int()
          .min(1)
          .max(10_000)
          .meta({ description: 'The most rows of a page that may be asked for.', default: apiDefaults.limit.max })
          .optional(),
      })
      .describe('Rows of a page.')
      .optional(),
    description: z.string().describe('What the rows are, for readers of the API.').optional(),
  })
  .describe('A dataset, published over REST and GraphQL.');
export type ApiSettings = z.infer<typeof apiSettings>;
