import { MillraceError } from '../../schema/errors.ts';
import type { Operation, Settling } from '../../schema/sync.ts';
import type { Batch, Outcome, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { again, ask } from './account.ts';
import { findIds, lookUpRows, targetOf, targetsOf, type Target } from './find.ts';
import { matchOf, mayNeed, withinTime, type HubspotObject, type ObjectRequest } from './object.ts';
import { isKnownUnique, objectType, type ObjectType } from './object-type.ts';
import { outcomesOf, type Traced } from './results.ts';
import { propertyText, propertyTexts } from './values.ts';

/** Requests under way at the same time for one batch, where each row is one. */
const atOnce = 5;

/** A row of a request. */
interface Input {
  readonly traced: Traced;
  /** How the request names the record, if it isn't a create, and what it writes. */
  readonly body: {
    readonly id: string | undefined;
    readonly idProperty: string | undefined;
    readonly properties: Readonly<Record<string, string>>;
    readonly objectWriteTraceId: string;
  };
}

/** Records of an object type. */
export function records(object: ObjectRequest, gdprDelete: boolean): HubspotObject {
  const { account, request } = object;
  const type = objectType(account, request.object);
  const [property = ''] = request.match;
  return {
    writes: writesOf(property),
    batchRows: gdprDelete ? 2 * atOnce : 100,
    looksUp: !isKnownUnique(type.name, property) || mayNeed(request, 'archive', 'delete'),
    check: (attempt) => check(object, type, attempt),
    describe: async (attempt) => ({ fields: await type.fields(attempt), closed: true }),
    send: async (batch, attempt) => {
      matchOf(object);
      if (batch.operation === 'delete' || batch.operation === 'archive')
        return await remove(object, type, batch, gdprDelete && batch.operation === 'delete', attempt);
      return await write(object, type, batch, attempt);
    },
    find: async (rows, attempt) => await find(object, type, rows, attempt),
  };
}

/** Ids are given by HubSpot: nothing can be created under one. */
function writesOf(property: string): Readonly<Partial<Record<Operation, Settling>>> {
  const writes = { update: 'upsert', upsert: 'upsert', delete: 'upsert', archive: 'upsert' } as const;
  return property === 'hs_object_id' ? writes : { create: 'lookup', ...writes };
}

async function check(object: ObjectRequest, type: ObjectType, attempt: Attempt): ReturnType<HubspotObject['check']> {
  const { request } = object;
  await type.fields(attempt);
  if (request.match.length === 0) return { problems: [], warnings: [] };
  const property = matchOf(object);
  if (await type.isUnique(property, attempt)) return { problems: [], warnings: [] };
  const remedy = 'a property that was created with unique values can be used in its place';
  if (request.operations?.includes('upsert') === true)
    return { problems: [`HubSpot can't upsert ${type.name} by ${property}, which isn't unique; ${remedy}, or mode update`], warnings: [] };
  const slow = `${type.name} are found by ${property}, which isn't unique, so that they have to be searched: that is slow and may miss what was written some seconds ago; ${remedy}`;
  return { problems: [], warnings: [slow] };
}

async function write(object: ObjectRequest, type: ObjectType, batch: Batch, attempt: Attempt): Promise<readonly Outcome[]> {
  const { account } = object;
  const { operation, rows } = batch;
  const property = matchOf(object);
  const named = await nameRows(object, type, batch, attempt);
  const inputs = named.filter((one) => 'traced' in one);
  if (inputs.length === 0) return named.flatMap((one) => ('traced' in one ? [] : [one]));
  const path = `/crm/v3/objects/${await type.path(attempt)}/batch/${operation}`;
  const request = { method: 'POST', path, body: { inputs: inputs.map(({ body }) => body) }, repeatable: false } as const;
  const answer = await ask(account, request, rows, attempt);
  const traced = inputs.map((input) => input.traced);
  const outcomes =
    again(
      answer,
      traced.map(({ row }) => row),
    ) ?? outcomesOf(account, operation, traced, property, answer);
  let at = 0;
  return named.map((one) => ('traced' in one ? outcomes[at++] : one) ?? { status: 'unknown', reason: 'no outcome' });
}

/** How each row is named in the request; an outcome for rows that mean no record, or more than one. */
async function nameRows(
  object: ObjectRequest,
  type: ObjectType,
  { operation, rows }: Batch,
  attempt: Attempt,
): Promise<readonly (Input | Outcome)[]> {
  const property = matchOf(object);
  const inputOf = (
    row: OutgoingRow,
    name: { readonly id?: string | undefined; readonly idProperty?: string | undefined },
    properties: Input['body']['properties'],
  ): Input => {
    const trace = String(row.no);
    const value = (name.id ?? propertyText(row.match[property] ?? null)).toLowerCase();
    return { traced: { row, trace, value }, body: { id: name.id, idProperty: name.idProperty, properties, objectWriteTraceId: trace } };
  };
  if (operation === 'create') return rows.map((row) => inputOf(row, {}, propertyTexts({ ...row.match, ...row.fields })));
  if (isKnownUnique(type.name, property) || (await withinTime(object.account, attempt, (limited) => type.isUnique(property, limited)))) {
    const idProperty = property === 'hs_object_id' ? undefined : property;
    return rows.map((row) => inputOf(row, { id: propertyText(row.match[property] ?? null), idProperty }, propertyTexts(row.fields)));
  }
  if (operation === 'upsert')
    throw new MillraceError(
      'config',
      `connection ${object.account.name}: HubSpot can't upsert ${type.name} by ${property}, which isn't unique; match by a property with unique values, or use mode update`,
    );
  const targets = await withinTime(object.account, attempt, (limited) => targetsOf(object.account, type, property, rows, limited));
  return rows.map((row, no) => {
    const target = targets[no] ?? { none: 'not found' };
    return 'id' in target ? inputOf(row, { id: target.id }, propertyTexts(row.fields)) : refused(target);
  });
}

const refused = (target: Exclude<Target, { id: string }>): Outcome =>
  'none' in target
    ? { status: 'rejected', reason: target.none, code: 'OBJECT_NOT_FOUND' }
    : { status: 'rejected', reason: target.several, code: 'AMBIGUOUS' };

/** What isn't there is removed already. */
async function remove(
  object: ObjectRequest,
  type: ObjectType,
  { rows }: Batch,
  forGood: boolean,
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const { account } = object;
  const targets = await withinTime(account, attempt, (limited) => targetsOf(account, type, matchOf(object), rows, limited));
  const ids = [...new Set(targets.flatMap((target) => ('id' in target ? [target.id] : [])))];
  const path = `/crm/v3/objects/${await type.path(attempt)}`;
  if (forGood) {
    for (let from = 0; from < ids.length; from += atOnce)
      await Promise.all(
        ids.slice(from, from + atOnce).map(async (objectId) => {
          const request = { method: 'POST', path: `${path}/gdpr-delete`, body: { objectId }, repeatable: false } as const;
          const answer = await ask(account, request, rows, attempt);
          if (again(answer, rows) !== undefined)
            throw new MillraceError('unknown', `connection ${account.name}: HubSpot has a record locked`);
        }),
      );
  } else if (ids.length > 0) {
    const body = { inputs: ids.map((id) => ({ id })) };
    const answer = await ask(account, { method: 'POST', path: `${path}/batch/archive`, body, repeatable: false }, rows, attempt);
    const locked = again(answer, rows);
    if (locked !== undefined) return locked;
  }
  return targets.map((target) => {
    if ('id' in target) return { status: 'acknowledged', remoteId: target.id };
    return 'none' in target ? { status: 'acknowledged' } : refused(target);
  });
}

async function find(
  object: ObjectRequest,
  type: ObjectType,
  rows: readonly OutgoingRow[],
  attempt: Attempt,
): Promise<readonly (string | undefined)[]> {
  const property = matchOf(object);
  const found: (string | undefined)[] = [];
  for (let from = 0; from < rows.length; from += lookUpRows) {
    const values = rows.slice(from, from + lookUpRows).map(({ match }) => propertyText(match[property] ?? null));
    const ids = await findIds(object.account, type, property, values, attempt);
    for (const value of values) {
      const target = targetOf(ids, property, value, type.name);
      found.push('id' in target ? target.id : ids.get(value.toLowerCase())?.[0]);
    }
  }
  return found;
}
