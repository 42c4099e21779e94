import { z } from 'zod';
import type { Field, Outcome } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { again, ask, named, parse } from './account.ts';
import { lookUpRows, targetsOf } from './find.ts';
import { matchOf, withinTime, type HubspotObject, type ObjectRequest } from './object.ts';
import { objectType, type ObjectType } from './object-type.ts';

const list = z.looseObject({ list: z.looseObject({ name: z.string(), objectTypeId: z.string(), processingType: z.string() }) });
type List = z.infer<typeof list>['list'];

const changed = z.looseObject({ recordIdsMissing: z.array(z.union([z.string(), z.number()])).nullish() });

/** Names of standard types, so that `email` is known to find contacts. */
const typeNames: Readonly<Record<string, string>> = { '0-1': 'contacts', '0-2': 'companies', '0-3': 'deals', '0-5': 'tickets' };

/** The members of a list: `lists/<id>`. */
export function listMembers(object: ObjectRequest, listId: string): HubspotObject {
  const { account, request } = object;
  const path = `/crm/v3/lists/${encodeURIComponent(listId)}`;
  let read: Promise<{ list: List; type: ObjectType }> | undefined;
  const opened = async (attempt: Attempt): Promise<{ list: List; type: ObjectType }> => {
    read ??= ask(account, { method: 'GET', path, repeatable: true }, [], attempt).then((answer) => {
      const found = parse(account, list, answer).list;
      return { list: found, type: objectType(account, typeNames[found.objectTypeId] ?? found.objectTypeId) };
    });
    return await read.catch((error: unknown) => {
      read = undefined;
      throw error;
    });
  };
  const [property = ''] = request.match;
  return {
    writes: { add: 'upsert', remove: 'upsert' },
    batchRows: property === 'hs_object_id' ? 1000 : lookUpRows,
    looksUp: true,
    check: async (attempt) => {
      const { list: found, type } = await opened(attempt);
      const problems: string[] = [];
      if (found.processingType === 'DYNAMIC')
        problems.push(`the list ${listId} (${found.name}) is dynamic: HubSpot chooses its members; use a static list`);
      if (request.match.length > 0 && !(await type.isUnique(matchOf(object), attempt)))
        problems.push(
          `members of a list are found by hs_object_id, or by a property of ${type.name} with unique values; ${property} isn't one`,
        );
      return { problems, warnings: [] };
    },
    describe: async (attempt) => ({ fields: keysOf(await (await opened(attempt)).type.fields(attempt)), closed: true }),
    send: async ({ operation, rows }, attempt) => {
      const by = matchOf(object);
      const targets = await withinTime(account, attempt, async (limited) => {
        const { type } = await opened(limited);
        return await targetsOf(account, type, by, rows, limited);
      });
      const isAdd = operation === 'add';
      const ids = [...new Set(targets.flatMap((target) => ('id' in target ? [target.id] : [])))];
      const missing = new Set<string>();
      if (ids.length > 0) {
        const change = { method: 'PUT', path: `${path}/memberships/${isAdd ? 'add' : 'remove'}`, body: ids, repeatable: false } as const;
        const answer = await ask(account, change, rows, attempt);
        const locked = again(answer, rows);
        if (locked !== undefined) return locked;
        for (const id of parse(account, changed, answer).recordIdsMissing ?? []) missing.add(String(id));
        if (missing.size === 0 && targets.length === ids.length)
          return targets.map((target) => ({
            status: 'acknowledged',
            ...('id' in target ? { remoteId: target.id } : {}),
            ...named(answer),
          }));
      }
      return targets.map((target): Outcome => {
        if ('id' in target && !missing.has(target.id)) return { status: 'acknowledged', remoteId: target.id };
        if (!isAdd && !('several' in target)) return { status: 'acknowledged' };
        if ('several' in target) return { status: 'rejected', reason: target.several, code: 'AMBIGUOUS' };
        return { status: 'rejected', reason: 'none' in target ? target.none : 'HubSpot has no such record', code: 'OBJECT_NOT_FOUND' };
      });
    },
  };
}

/** Members are told by what finds a record; nothing of the record is written. */
const keysOf = (fields: readonly Field[]): readonly Field[] =>
  fields.filter(({ unique }) => unique).map((field) => ({ ...field, readOnly: false, required: false }));
