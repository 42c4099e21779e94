import { MillraceError } from '../../schema/errors.ts';
import type { Operation } from '../../schema/sync.ts';
import type { Outcome, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { request } from './collections.ts';
import type { SalesforceFields } from './describe.ts';
import { findIds } from './lookup.ts';
import type { Org } from './org.ts';
import { saysGone } from './outcomes.ts';
import { nested, recordOf, textOf } from './records.ts';

/** A row with the id of its object. */
export interface Target {
  readonly row: OutgoingRow;
  readonly id: string;
}

/** The outcome of a row whose object isn't there: a delete is done already. */
function missing(org: Org, operation: Operation): Outcome {
  if (operation === 'delete') return { status: 'acknowledged' };
  return { status: 'rejected', code: 'NOT_FOUND', reason: `no ${org.object} has this ${org.match}` };
}

/** Rows with the ids of their objects, and outcomes of those whose object can't be told. */
export interface Identified {
  readonly targets: readonly Target[];
  readonly outcomes: ReadonlyMap<OutgoingRow, Outcome>;
}

/** Looks up the objects of rows. */
export async function lookUp(
  org: Org,
  fields: SalesforceFields,
  operation: Operation,
  rows: readonly OutgoingRow[],
  attempt: Attempt,
): Promise<Identified> {
  const targets: Target[] = [];
  const outcomes = new Map<OutgoingRow, Outcome>();
  const found = rows.length === 0 ? [] : await findIds(org, fields, rows, attempt);
  for (const [no, row] of rows.entries()) {
    const [id, ...others] = found[no] ?? [];
    if (id === undefined) outcomes.set(row, missing(org, operation));
    else if (others.length === 0) targets.push({ row, id });
    else {
      const reason = `${others.length + 1} objects of ${org.object} have this ${org.match}`;
      outcomes.set(row, { status: 'rejected', code: 'DUPLICATES', reason });
    }
  }
  return { targets, outcomes };
}

/** The id of a row's object, where that needs no look-up. */
const knownId = (org: Org, row: OutgoingRow): string | undefined => (org.match === 'Id' ? textOf(row.match['Id']) : row.remoteId);

/** Rows with the ids that are known; the objects of the others are looked up. */
export async function identify(
  org: Org,
  fields: SalesforceFields,
  operation: Operation,
  rows: readonly OutgoingRow[],
  attempt: Attempt,
): Promise<Identified> {
  const known = rows.flatMap((row) => {
    const id = knownId(org, row);
    return id === undefined ? [] : [{ row, id }];
  });
  const unknown = rows.filter((row) => knownId(org, row) === undefined);
  const { targets, outcomes } = await lookUp(org, fields, operation, unknown, attempt);
  return { targets: [...known, ...targets], outcomes };
}

async function writeTargets(
  org: Org,
  fields: SalesforceFields,
  operation: 'update' | 'delete',
  targets: readonly Target[],
  attempt: Attempt,
): Promise<readonly (readonly [OutgoingRow, Outcome])[]> {
  if (targets.length === 0) return [];
  const rows = targets.map(({ row }) => row);
  const path = 'composite/sobjects';
  const records = targets.map(({ row, id }) => ({ attributes: { type: org.object }, ...nested(recordOf(row, false, fields)), id }));
  const asked =
    operation === 'delete'
      ? ({ method: 'DELETE', path, query: { ids: targets.map(({ id }) => id).join(','), allOrNone: false } } as const)
      : ({ method: 'PATCH', path, body: { allOrNone: false, records } } as const);
  const outcomes = await request(org, rows, asked, attempt);
  return rows.map((row, no) => [row, outcomes[no] as Outcome]);
}

/**
 * Updates or deletes objects by their ids. A remembered id whose object is gone is looked up, for another may have taken its place. No
 * request is begun later than the time of one request after the call.
 */
export async function writeById(
  org: Org,
  fields: SalesforceFields,
  operation: 'update' | 'delete',
  rows: readonly OutgoingRow[],
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const last = performance.now() + org.client.requestTimeout;
  const identified = await identify(org, fields, operation, rows, attempt);
  if (performance.now() > last) throw new MillraceError('unavailable', `connection ${org.name}: looking up ids took too long`);
  const outcomes = new Map(identified.outcomes);
  const take = (pairs: Iterable<readonly [OutgoingRow, Outcome]>): void => {
    for (const [row, outcome] of pairs) outcomes.set(row, outcome);
  };
  take(await writeTargets(org, fields, operation, identified.targets, attempt));
  const gone = identified.targets.filter(({ row }) => saysGone(outcomes.get(row) as Outcome)).map(({ row }) => row);
  const again = await lookUp(org, fields, operation, gone, attempt);
  take(again.outcomes);
  const replaced = again.targets.filter(({ row, id }) => id !== knownId(org, row));
  if (performance.now() > last) take(replaced.map(({ row }) => [row, { status: 'again', reason: 'its object was made anew', after: 0 }]));
  else take(await writeTargets(org, fields, operation, replaced, attempt));
  return rows.map((row) => outcomes.get(row) as Outcome);
}
