import type { Batch, OutgoingRow } from '../application.ts';
import type { HttpRequest } from '../http/client.ts';
import { bodyOf, type Kind, plainText } from './kind.ts';

/** Why a row of a batch belongs to no job. */
export type Left = 'missing' | 'exists' | 'gone' | 'unnamed';

/** A request that starts a job, and the positions of its rows in the batch. */
interface Part {
  readonly request: HttpRequest;
  readonly rows: readonly number[];
}

export interface BatchPlan {
  readonly parts: readonly Part[];
  readonly left: readonly (readonly [number, Left])[];
}

export interface Writing {
  readonly kind: Kind;
  /** The field that finds an object. */
  readonly match: string;
  readonly verifyEmail: boolean;
}

type Body = Readonly<Record<string, unknown>>;

/** Ids of 18 and more digits, which JavaScript can't hold, aren't given by Zendesk. */
const numeric = (id: string): number | string => (Number.isSafeInteger(Number(id)) ? Number(id) : id);

/** True when the operation has to know first which objects there are. Users are the only ones that Zendesk creates or updates by itself. */
export const looksUp = ({ operation }: Batch, { kind }: Writing): boolean => operation !== 'upsert' || kind.plural !== 'users';

function creation(row: OutgoingRow, { kind, match, verifyEmail }: Writing): Body {
  const quiet = kind.plural === 'users' && !verifyEmail ? { skip_verify_email: true } : {};
  return { ...quiet, ...bodyOf(row), [match]: plainText(row.match[match]) };
}

const path = ({ kind }: Writing, verb: string): string => `api/v2/${kind.plural}/${verb}.json`;

/** Requests of a batch; `ids` are those that were found, in order. */
export function planOf({ operation, rows }: Batch, writing: Writing, ids: readonly (string | undefined)[]): BatchPlan {
  const found: number[] = [];
  const missing: number[] = [];
  rows.forEach((_, index) => (ids[index] === undefined ? missing : found).push(index));
  const bodies = (indexes: readonly number[], body: (row: OutgoingRow, index: number) => Body): Body => ({
    [writing.kind.plural]: indexes.flatMap((index) => {
      const row = rows[index];
      return row === undefined ? [] : [body(row, index)];
    }),
  });
  const create = (verb: string): Part => ({
    rows: missing,
    request: { method: 'POST', path: path(writing, verb), body: bodies(missing, (row) => creation(row, writing)), repeatable: false },
  });
  const update = (): Part => {
    const body = bodies(found, (row, index) => ({ id: numeric(ids[index] ?? ''), ...bodyOf(row) }));
    return { rows: found, request: { method: 'PUT', path: path(writing, 'update_many'), body, repeatable: false } };
  };
  const remove = (): Part => {
    const query = { ids: found.map((index) => ids[index]).join(',') };
    return { rows: found, request: { method: 'DELETE', path: path(writing, 'destroy_many'), query, repeatable: false } };
  };
  const leave = (indexes: readonly number[], left: Left): BatchPlan['left'] => indexes.map((index) => [index, left]);
  const plan = ((): BatchPlan => {
    if (operation === 'create') return { parts: [create('create_many')], left: leave(found, 'exists') };
    if (operation === 'update') return { parts: [update()], left: leave(missing, 'missing') };
    if (operation === 'delete') return { parts: [remove()], left: missing.map((index) => [index, reasonOf(rows[index], writing)]) };
    if (writing.kind.plural === 'users') return { parts: [create('create_or_update_many')], left: [] };
    return { parts: [create('create_many'), update()], left: [] };
  })();
  return { ...plan, parts: plan.parts.filter((part) => part.rows.length > 0) };
}

/** A row that names an object which isn't there is deleted already. */
const reasonOf = (row: OutgoingRow | undefined, { match }: Writing): Left =>
  plainText(row?.match[match]) === undefined ? 'unnamed' : 'gone';
