import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Field, Outcome, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { HttpAnswer } from '../http/client.ts';
import { again, ask, named, parse, reasonOf } from './account.ts';
import { findIds, lookUpRows, targetOf, type Target } from './find.ts';
import { withinTime, type HubspotObject, type ObjectRequest } from './object.ts';
import { objectType, type ObjectType } from './object-type.ts';
import type { HubspotWriteOptions } from './settings.ts';
import { propertyText } from './values.ts';

const id = z.union([z.string(), z.number()]);
const end = z.looseObject({ id });
const pairName = (from: unknown, to: unknown): string => `${String(from)}:${String(to)}`;

const answered = z.looseObject({
  /** Ends of unlabelled associations, or ids of labelled ones. */
  results: z.array(
    z.union([
      z.looseObject({ from: end, to: end }).transform(({ from, to }) => pairName(from.id, to.id)),
      z.looseObject({ fromObjectId: id, toObjectId: id }).transform(({ fromObjectId, toObjectId }) => pairName(fromObjectId, toObjectId)),
    ]),
  ),
  errors: z
    .array(
      z.looseObject({
        category: z.string().default(''),
        message: z.string().default(''),
        context: z
          .looseObject({ fromObjectId: z.array(id).default([]), toObjectId: z.array(id).default([]) })
          .default({ fromObjectId: [], toObjectId: [] }),
      }),
    )
    .default([]),
});

/** One end of an association: the match field, and the property of the record that it is a value of. */
interface End {
  readonly field: string;
  readonly property: string;
  readonly type: ObjectType;
}

type Label = NonNullable<HubspotWriteOptions['association_type']>;

/** Associations between two object types: `associations/<from>/<to>`, matched by `from` and `to`, or `from.email` and `to.account_no`. */
export function associations(object: ObjectRequest, [from, to]: readonly [string, string], label: Label | undefined): HubspotObject {
  const { account, request } = object;
  const types = { from: objectType(account, from), to: objectType(account, to) };
  const endOf = (side: 'from' | 'to'): End => {
    const field = request.match.find((name) => name === side || name.startsWith(`${side}.`));
    if (field === undefined || request.match.length !== 2)
      throw new MillraceError(
        'config',
        `connection ${account.name}: ${request.object} needs a match of two fields: from and to for ids, or a property behind a dot (from.email)`,
      );
    return { field, property: field === side ? 'hs_object_id' : field.slice(side.length + 1), type: types[side] };
  };
  const looksUp = !request.match.every((field) => field === 'from' || field === 'to');
  return {
    writes: { add: 'upsert', remove: 'upsert' },
    // https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide
    batchRows: looksUp ? lookUpRows : 2000,
    looksUp,
    check: async (attempt) => {
      const fields = [await types.from.fields(attempt), await types.to.fields(attempt)];
      if (request.match.length === 0 || fields.length !== 2) return { problems: [], warnings: [] };
      const problems: string[] = [];
      for (const { field, property, type } of [endOf('from'), endOf('to')])
        if (!(await type.isUnique(property, attempt)))
          problems.push(`records of an association are found by id, or by a property with unique values; ${field} isn't one`);
      return { problems, warnings: [] };
    },
    describe: async (attempt) => ({
      fields: [...sideFields('from', await types.from.fields(attempt)), ...sideFields('to', await types.to.fields(attempt))],
      closed: true,
    }),
    send: async ({ operation, rows }, attempt) => {
      const ends = [endOf('from'), endOf('to')] as const;
      const pairs = await withinTime(account, attempt, (limited) => pairsOf(object, ends, rows, limited));
      const whole = pairs.flatMap((pair) => ('from' in pair ? [pair] : []));
      if (whole.length === 0) return pairs.map((pair) => outcomeOf(pair, operation === 'add', undefined));
      const path = `/crm/v4/associations/${await types.from.path(attempt)}/${await types.to.path(attempt)}/batch/`;
      const body = { inputs: inputsOf(whole, operation === 'add', label) };
      const sent = { method: 'POST', path: `${path}${verbOf(operation === 'add', label)}`, body, repeatable: false } as const;
      const answer = await ask(account, sent, rows, attempt);
      const locked = again(answer, rows);
      if (locked !== undefined) return locked;
      const told = operation === 'add' ? resultsOf(object, rows, answer) : undefined;
      return pairs.map((pair) => outcomeOf(pair, operation === 'add', told));
    },
  };
}

interface Pair {
  readonly from: string;
  readonly to: string;
}

function verbOf(isAdd: boolean, label: Label | undefined): string {
  if (label === undefined) return isAdd ? 'associate/default' : 'archive';
  return isAdd ? 'create' : 'labels/archive';
}

function inputsOf(pairs: readonly Pair[], isAdd: boolean, label: Label | undefined): readonly unknown[] {
  const types = label && [{ associationCategory: label.category ?? 'USER_DEFINED', associationTypeId: label.id }];
  return pairs.map(({ from, to }) => ({
    from: { id: from },
    to: isAdd || types !== undefined ? { id: to } : [{ id: to }],
    ...(types === undefined ? {} : { types }),
  }));
}

/** Ids and the properties that find records, under the side's name. */
function sideFields(side: string, fields: readonly Field[]): readonly Field[] {
  return fields
    .filter(({ unique }) => unique)
    .map((field) => ({ ...field, readOnly: false, required: false, name: field.name === 'hs_object_id' ? side : `${side}.${field.name}` }));
}

/** The two records of each row; what is wrong where one isn't found. */
async function pairsOf(
  { account }: ObjectRequest,
  ends: readonly [End, End],
  rows: readonly OutgoingRow[],
  attempt: Attempt,
): Promise<readonly (Pair | Exclude<Target, { id: string }>)[]> {
  const sides: Target[][] = [];
  for (const { field, property, type } of ends) {
    const values = rows.map(({ match }) => propertyText(match[field] ?? null));
    const found = property === 'hs_object_id' ? undefined : await findIds(account, type, property, values, attempt);
    sides.push(values.map((value) => (found === undefined ? { id: value } : targetOf(found, property, value, type.name))));
  }
  return rows.map((_, no) => {
    const [from, to] = [sides[0]?.[no] ?? { none: '' }, sides[1]?.[no] ?? { none: '' }];
    if (!('id' in from)) return from;
    return 'id' in to ? { from: from.id, to: to.id } : to;
  });
}

/** What HubSpot says of each pair that it took or refused. */
function resultsOf({ account }: ObjectRequest, rows: readonly OutgoingRow[], answer: HttpAnswer): ReadonlyMap<string, Outcome> {
  const { results, errors } = parse(account, answered, answer);
  const told = new Map<string, Outcome>(results.map((pair) => [pair, { status: 'acknowledged', remoteId: pair, ...named(answer) }]));
  for (const { category, message, context } of errors) {
    const refusal: Outcome = { status: 'rejected', reason: reasonOf(message, rows), code: category, ...named(answer) };
    const pairs = context.fromObjectId.map((from, no) => pairName(from, context.toObjectId[no]));
    for (const pair of pairs.length === 0 ? [''] : pairs) told.set(pair, refusal);
  }
  return told;
}

function outcomeOf(pair: Pair | Exclude<Target, { id: string }>, isAdd: boolean, told: ReadonlyMap<string, Outcome> | undefined): Outcome {
  if ('several' in pair) return { status: 'rejected', reason: pair.several, code: 'AMBIGUOUS' };
  if ('none' in pair) return isAdd ? { status: 'rejected', reason: pair.none, code: 'OBJECT_NOT_FOUND' } : { status: 'acknowledged' };
  const name = pairName(pair.from, pair.to);
  if (!isAdd) return { status: 'acknowledged', remoteId: name };
  const silent: Outcome = { status: 'rejected', reason: 'HubSpot gave neither a result nor an error for it' };
  return told?.get(name) ?? told?.get('') ?? silent;
}
