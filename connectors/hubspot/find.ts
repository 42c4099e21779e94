import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { ask, parse, type Account } from './account.ts';
import type { ObjectType } from './object-type.ts';
import { propertyText } from './values.ts';

const found = z.looseObject({
  results: z.array(z.looseObject({ id: z.string(), properties: z.record(z.string(), z.string().nullable()).optional() })),
  paging: z.looseObject({ next: z.looseObject({ after: z.string() }).optional() }).optional(),
});

/** Ids of records by the value that found them, lower case; several where a property isn't unique. */
export type IdsByValue = ReadonlyMap<string, readonly string[]>;

/** Values that one request may ask for. */
export const lookUpRows = 100;
/** Pages of 200; a value that so many records share finds no object. */
const maxPages = 5;

/**
 * Finds records by a property, for at most `lookUpRows` values. Unique properties are read, which sees every write; others are searched, which is slow and may
 * not see what was written some seconds ago.
 */
export async function findIds(
  account: Account,
  type: ObjectType,
  property: string,
  values: readonly string[],
  attempt: Attempt,
): Promise<IdsByValue> {
  if (values.length === 0) return new Map();
  const isUnique = await type.isUnique(property, attempt);
  return isUnique ? await read(account, type, property, values, attempt) : await search(account, type, property, values, attempt);
}

async function read(
  account: Account,
  type: ObjectType,
  property: string,
  values: readonly string[],
  attempt: Attempt,
): Promise<IdsByValue> {
  const isId = property === 'hs_object_id';
  const body = {
    inputs: [...new Set(values)].map((id) => ({ id })),
    properties: [property],
    ...(isId ? {} : { idProperty: property }),
  };
  const path = `/crm/v3/objects/${await type.path(attempt)}/batch/read`;
  const answer = await ask(account, { method: 'POST', path, body, repeatable: true }, [], attempt);
  return byValue(parse(account, found, answer).results, property);
}

async function search(
  account: Account,
  type: ObjectType,
  property: string,
  values: readonly string[],
  attempt: Attempt,
): Promise<IdsByValue> {
  const path = `/crm/v3/objects/${await type.path(attempt)}/search`;
  const filterGroups = [{ filters: [{ propertyName: property, operator: 'IN', values: [...new Set(values)] }] }];
  const results: z.infer<typeof found>['results'] = [];
  let after: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const body = { filterGroups, properties: [property], limit: 200, ...(after === undefined ? {} : { after }) };
    const answer = parse(account, found, await ask(account, { method: 'POST', path, body, repeatable: true }, [], attempt));
    results.push(...answer.results);
    after = answer.paging?.next?.after;
    if (after === undefined) return byValue(results, property);
  }
  throw new MillraceError(
    'rejected',
    `connection ${account.name}: more than ${maxPages * 200} ${type.name} have the values of ${property} that rows of one batch are to be found by`,
  );
}

function byValue(results: z.infer<typeof found>['results'], property: string): IdsByValue {
  const ids = new Map<string, string[]>();
  for (const { id, properties = {} } of results) {
    const value = (property === 'hs_object_id' ? id : (properties[property] ?? '')).toLowerCase();
    ids.set(value, [...(ids.get(value) ?? []), id]);
  }
  return ids;
}

/** Which record a row means. */
export type Target = { readonly id: string } | { readonly none: string } | { readonly several: string };

/** The record that a match value means, among those found. */
export function targetOf(ids: IdsByValue, property: string, value: string, type: string): Target {
  const [first, ...more] = ids.get(value.toLowerCase()) ?? [];
  if (first === undefined) return { none: `HubSpot has no ${type} with this ${property}` };
  return more.length === 0 ? { id: first } : { several: `${more.length + 1} ${type} have this ${property}` };
}

/** The records of rows by a property: as it was acknowledged, else as it is looked up. */
export async function targetsOf(
  account: Account,
  type: ObjectType,
  property: string,
  rows: readonly OutgoingRow[],
  attempt: Attempt,
): Promise<readonly Target[]> {
  const valueOf = (row: OutgoingRow): string => propertyText(row.match[property] ?? null);
  const unknown = property === 'hs_object_id' ? [] : rows.filter(({ remoteId }) => remoteId === undefined);
  const ids = await findIds(account, type, property, unknown.map(valueOf), attempt);
  return rows.map((row) => {
    if (property === 'hs_object_id') return { id: valueOf(row) };
    return row.remoteId === undefined ? targetOf(ids, property, valueOf(row), type.name) : { id: row.remoteId };
  });
}
