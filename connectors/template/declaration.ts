import { z } from 'zod';
import { operations } from '../../schema/sync.ts';
import { duration } from '../../schema/quantity.ts';
import { isJsonPath } from './json-path.ts';
import { parseText } from './placeholder.ts';

/** Adds what is wrong with the placeholders of a text, or of all texts in JSON. */
function checkPlaceholders(value: unknown, context: z.RefinementCtx, path: readonly (string | number)[] = []): void {
  if (typeof value === 'string') {
    try {
      parseText(value);
    } catch (error) {
      context.addIssue({ code: 'custom', path: [...path], message: error instanceof Error ? error.message : String(error) });
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) checkPlaceholders(member, context, [...path, name]);
  }
}

const text = (what: string) =>
  z
    .string()
    .superRefine((value, context) => checkPlaceholders(value, context))
    .describe(what);
const json = (what: string) =>
  z
    .json()
    .superRefine((value, context) => checkPlaceholders(value, context))
    .describe(what);
const path = (what: string) =>
  z.string().refine(isJsonPath, 'must be a JSONPath (RFC 9535) such as $.errors[*]').describe(`${what} (JSONPath)`);

const requestParts = {
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).describe('Method of the request.'),
  path: text("Path below the connection's url; values in it are encoded: `/customers/{{ match.email }}`."),
  query: z.record(z.string(), text('A value.')).describe('Parameters of the address.').optional(),
  headers: z.record(z.string(), text('A value.')).describe('Headers besides those of the connection.').optional(),
  body: json(
    'What is sent as JSON. A text that is only a placeholder becomes its value; the member `...` takes in the members of its value, or of the objects in its list.',
  ).optional(),
  form: z.record(z.string(), text('A value.')).describe('What is sent as a form, in place of a body.').optional(),
};

const requestDeclaration = z.strictObject(requestParts).describe('A request.');
export type RequestDeclaration = z.infer<typeof requestDeclaration>;

const matching = z
  .union([
    z.literal('index').describe("By their place in the answer's list, which is that of the request's."),
    z.strictObject({
      index: path('The number of the row in an entry'),
      first: z.int().min(0).max(1).meta({ description: 'The number of the first row.', default: 0 }).optional(),
    }),
    z.strictObject({
      key: z
        .union([path('For any match'), z.record(z.string(), path('For this one')).describe('By the field that finds an object.')])
        .describe('The value in an entry that names the row; it may find several.'),
      field: text('The same value of the row: `{{ match.email }}`.'),
      ignore_case: z.boolean().meta({ description: 'Upper and lower case are the same.', default: false }).optional(),
    }),
  ])
  .describe('How entries belong to rows.');
export type MatchingDeclaration = z.infer<typeof matching>;

const codes = z.array(z.union([z.string(), z.number()]));
const statuses = z.array(z.int().min(200).max(499));

const answersDeclaration = z
  .strictObject({
    acknowledged: statuses.describe('Statuses that mean that it is done. Default: those from 200 to 299.').optional(),
    again: z
      .strictObject({
        statuses: statuses.describe('Statuses that mean that the same request works later.'),
        after: duration().describe('How long to wait before that.'),
      })
      .describe('Statuses of locks and conflicts that pass.')
      .optional(),
    success: z
      .strictObject({
        path: path('A value of the answer'),
        equals: z.union([z.string(), z.number(), z.boolean()]).meta({ description: 'What it must be.', default: true }).optional(),
      })
      .describe('For APIs that refuse under 200: what an answer must hold to count as done.')
      .optional(),
    errors: z
      .strictObject({
        path: path('The entries for rows that were refused'),
        match: matching,
        reason: path('The reason, in an entry').optional(),
        code: path("The application's code, in an entry").optional(),
        again: codes.describe('Codes of entries whose rows work later.').optional(),
        done: codes.describe('Codes of entries whose rows are as they should be already.').optional(),
      })
      .describe('Where the answer to a batch names the rows that were refused; the others are acknowledged.')
      .optional(),
    accepted: z
      .strictObject({
        path: path('The entries for rows that were taken'),
        match: matching,
        remote_id: path("The object's id, in an entry").optional(),
      })
      .describe('Where the answer to a batch names the rows that were taken; those that it names nowhere are unknown.')
      .optional(),
    text: z.boolean().meta({ description: 'Answers are texts (`OK`) and not JSON.', default: false }).optional(),
    reason: path('The reason, in the answer to a request that was refused').optional(),
    code: path("The application's code, there").optional(),
    remote_id: path("The object's id, in the answer to a single row").optional(),
  })
  .describe('What answers mean.');
export type AnswersDeclaration = z.infer<typeof answersDeclaration>;

const operationDeclaration = z
  .strictObject({
    ...requestParts,
    settles: z
      .enum(['upsert', 'idempotency-key', 'lookup', 'none'])
      .describe(
        'How a row whose answer is missing is settled: `upsert`: sent again, for it has the same effect once or twice; `idempotency-key`: sent again under the same key; `lookup`: looked up by `find` first; `none`: by `when_unknown` of the sync.',
      ),
    batch: z.int().min(2).max(100_000).describe('Rows of one request at most. Default: one row a request.').optional(),
    row: json('Each row of a batch, which together are `{{ rows }}`. Default: its match and fields.').optional(),
    idempotency: z
      .strictObject({ header: z.string().min(1).describe('The header that carries the key: `Idempotency-Key`.') })
      .describe('The same key goes with every attempt to send the same values.')
      .optional(),
    find_first: z
      .boolean()
      .meta({ description: 'Rows are looked up before, so that there is a `{{ remote_id }}`.', default: false })
      .optional(),
    absent: z
      .enum(['rejected', 'acknowledged', 'create'])
      .meta({
        description: 'With `find_first`: what becomes of a row that is not found; `create` sends it by that operation.',
        default: 'rejected',
      })
      .optional(),
    answers: answersDeclaration.optional(),
  })
  .describe('How an operation is sent.');
export type OperationDeclaration = z.infer<typeof operationDeclaration>;

const findDeclaration = z
  .strictObject({
    ...requestParts,
    batch: z.int().min(2).max(10_000).describe('Rows of one look-up at most. Default: one row a request.').optional(),
    row: json('Each row of a batch, which together are `{{ rows }}`. Default: its match.').optional(),
    absent: statuses.meta({ description: 'Statuses that mean that there is none.', default: [404] }).optional(),
    items: path('The objects that were found, in the answer to a batch, or to a search for one row').optional(),
    match: matching.optional(),
    id: path("The object's id, in an item, or in the answer"),
  })
  .describe('How objects are looked up.');
export type FindDeclaration = z.infer<typeof findDeclaration>;

const fieldTypes = z.enum(['string', 'number', 'integer', 'boolean', 'date', 'datetime', 'enum', 'json', 'any']);
const fieldDeclaration = z.strictObject({
  name: z.string().min(1).describe('Name of the field.'),
  type: fieldTypes.meta({ description: 'Type of its values.', default: 'any' }).optional(),
  required: z.boolean().meta({ description: 'It must have a value when an object is created.', default: false }).optional(),
  read_only: z.boolean().meta({ description: 'It can not be written.', default: false }).optional(),
  unique: z.boolean().meta({ description: 'It finds one object.', default: false }).optional(),
  options: z.array(z.string()).describe('The values that it takes.').optional(),
});

const describeDeclaration = z
  .strictObject({
    fields: z.array(fieldDeclaration).describe('Fields that are known.').optional(),
    request: requestDeclaration.describe('A request whose answer has more of them.').optional(),
    items: path('The fields, in the answer').optional(),
    name: path('Name, in a field').optional(),
    prefix: z.string().describe('What stands before the name.').optional(),
    type: path('Type, in a field').optional(),
    types: z.record(z.string(), fieldTypes).describe("The application's types to ours.").optional(),
    required: path('Whether it is required, in a field').optional(),
    writable: path('Whether it can be written, in a field').optional(),
    options: path('The values that it takes, in a field').optional(),
    closed: z.boolean().meta({ description: 'No other fields can be written.', default: false }).optional(),
  })
  .refine(
    ({ request, items, name }) => request === undefined || (items !== undefined && name !== undefined),
    'request needs items and name',
  )
  .describe('Which fields there are, so that `check` finds mistakes.');
export type DescribeDeclaration = z.infer<typeof describeDeclaration>;

const optionDeclaration = z.strictObject({
  description: z.string().describe('What it is for.'),
  values: z.array(z.string()).describe('The values that it takes. Default: any.').optional(),
  default: z.string().describe('Its value where a sync gives none.').optional(),
});

export const objectDeclaration = z
  .strictObject({
    match: z.array(z.string().min(1)).min(1).describe('Fields of which one finds an object. Default: any.').optional(),
    options: z.record(z.string(), optionDeclaration).describe('Options of a sync under `write`, as `{{ write.<name> }}`.').optional(),
    operations: z.partialRecord(z.enum(operations), operationDeclaration).describe('What can be done to it.'),
    find: findDeclaration.optional(),
    describe: describeDeclaration.optional(),
    list: z
      .strictObject({
        request: requestDeclaration,
        names: path('Values in the answer'),
        form: z.string().describe('The object of a value: `lists/{}`.'),
      })
      .describe('How objects that can be written are listed, for names with `{…}`.')
      .optional(),
    check: requestDeclaration.describe('A request that changes nothing and shows that the object is there.').optional(),
    changed_only: z.boolean().meta({ description: 'Only fields that changed are sent.', default: false }).optional(),
  })
  .describe('An object that syncs write.');
export type ObjectDeclaration = z.infer<typeof objectDeclaration>;

export const objectDeclarations = z
  .record(z.string().min(1), objectDeclaration)
  .describe('Objects by name; `{…}` in a name stands for a part of it: `lists/{list}` is `lists/42`, and `{{ object.list }}` is `42`.');

/** What is known of an application's API, as data. */
export interface Template {
  /** For people. */
  readonly system: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly rate?: { readonly requests: number; readonly per: number };
  readonly concurrency?: number;
  /** Answers of other statuses than 429 that ask to wait. */
  readonly throttled?: readonly { readonly status: number; readonly withoutJson: boolean; readonly wait: number }[];
  /** A request that changes nothing and shows that the credential works. */
  readonly check?: RequestDeclaration;
  readonly objects: Readonly<Record<string, ObjectDeclaration>>;
}
