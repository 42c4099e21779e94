import { createHash } from 'node:crypto';
import { MillraceError } from '../../schema/errors.ts';
import type { Json } from '../../schema/value.ts';
import type { Outcome, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import type { HttpAnswer, HttpClient } from '../http/client.ts';
import { compileAnswers } from './answers.ts';
import type { OperationDeclaration } from './declaration.ts';
import { eachRow } from './each-row.ts';
import type { Find } from './find.ts';
import { compileJson, type Scope } from './render.ts';
import { compileRequest } from './request.ts';
import { batchScope, rowScope, type ObjectScope } from './scope.ts';

/** Sends rows of one operation. */
export interface Sender {
  /** Rows that it takes at once. */
  readonly batch: number;
  send(rows: readonly OutgoingRow[], attempt: Attempt): Promise<readonly Outcome[]>;
}

interface Sending {
  readonly client: HttpClient;
  readonly scope: ObjectScope;
  readonly find: Find | undefined;
  /** Rows of one look-up. */
  readonly findRows: number;
  /** What makes an object that a look-up doesn't find. */
  readonly create: OperationDeclaration | undefined;
  /** Requests for single rows under way at the same time. */
  readonly width: number;
}

/** Milliseconds that look-ups before a write may take: after them no write begins. */
export const findTime = 15_000;

export function compileOperation(declared: OperationDeclaration, sending: Sending): Sender {
  const write = compileWrite(declared, sending);
  const { find } = sending;
  if (declared.find_first !== true || find === undefined) {
    return { batch: declared.batch ?? 1, send: async (rows, attempt) => (await write(rows, attempt)).outcomes };
  }
  return { batch: sending.findRows, send: compileFound(declared, { ...sending, find }, write) };
}

interface Written {
  readonly answer: HttpAnswer;
  readonly outcomes: readonly Outcome[];
}

type Write = (rows: readonly OutgoingRow[], attempt: Attempt) => Promise<Written>;

/** A row as one object of all that it has. */
const everything = ({ match, fields }: Scope): Json => ({ ...(isRecord(match) ? match : {}), ...(isRecord(fields) ? fields : {}) });
const isRecord = (value: Json | undefined): value is Readonly<Record<string, Json>> => typeof value === 'object' && value !== null;

function expectation({ answers = {} }: OperationDeclaration): 'json' | 'json-or-nothing' | 'text' {
  if (answers.text === true) return 'text';
  const reads = answers.errors ?? answers.accepted ?? answers.success ?? answers.remote_id;
  return reads === undefined ? 'json-or-nothing' : 'json';
}

function compileWrite(declared: OperationDeclaration, { client, scope }: Sending): Write {
  const fill = compileRequest(declared, { repeatable: false, expects: expectation(declared) });
  const row = declared.row === undefined ? everything : compileJson(declared.row);
  const read = compileAnswers(declared.answers ?? {}, declared.settles);
  const header = declared.idempotency?.header;
  return async (rows, attempt) => {
    const [first] = rows;
    if (first === undefined) throw new RangeError('a batch has rows');
    const filled =
      declared.batch === undefined
        ? rowScope(scope, first)
        : batchScope(
            scope,
            rows.map((each) => row(rowScope(scope, each)) ?? null),
          );
    const headers = header === undefined ? {} : { [header]: keyOf(rows) };
    const answer = await client.request(fill(filled, headers), attempt);
    return { answer, outcomes: read(answer, rows, scope) };
  };
}

/** One key for the rows of a request: the row's own, or a digest of all of them. */
function keyOf(rows: readonly OutgoingRow[]): string {
  const [first, ...others] = rows;
  if (first !== undefined && others.length === 0) return first.idempotencyKey;
  return createHash('sha256')
    .update(rows.map(({ idempotencyKey }) => idempotencyKey).join('\n'))
    .digest('hex');
}

/** Looks up what isn't known, then writes what was found; a known object that is gone is looked up once more. */
function compileFound(
  { absent = 'rejected', settles, answers }: OperationDeclaration,
  sending: Sending & { readonly find: Find },
  write: Write,
): Sender['send'] {
  const { find, width } = sending;
  // One that was made meanwhile is found the next time.
  const create =
    sending.create && compileWrite({ ...sending.create, settles, answers: { ...sending.create.answers, ...answers } }, sending);
  const lost = async (row: OutgoingRow, attempt: Attempt): Promise<Outcome> => {
    if (absent === 'acknowledged') return { status: 'acknowledged' };
    const created = absent === 'create' ? await create?.([{ ...row, remoteId: undefined }], attempt) : undefined;
    return created?.outcomes[0] ?? { status: 'rejected', reason: 'the application has no object with this match', code: 'not-found' };
  };
  const one = async (row: OutgoingRow, attempt: Attempt): Promise<Outcome> => {
    const { answer, outcomes } = await write([row], attempt);
    const [outcome] = outcomes;
    if (outcome === undefined) throw new MillraceError('unknown', 'there is no outcome');
    if (outcome.status === 'acknowledged' && outcome.remoteId === undefined && row.remoteId !== undefined) {
      return { ...outcome, remoteId: row.remoteId };
    }
    return answer.status === 404 ? await again(row, outcome, attempt) : outcome;
  };
  const again = async (row: OutgoingRow, outcome: Outcome, attempt: Attempt): Promise<Outcome> => {
    const [id] = await find([{ ...row, remoteId: undefined }], attempt);
    if (id === undefined) return await lost(row, attempt);
    if (id === row.remoteId) return outcome;
    const [second] = (await write([{ ...row, remoteId: id }], attempt)).outcomes;
    return second?.status === 'acknowledged' ? { remoteId: id, ...second } : (second ?? outcome);
  };
  return async (rows, attempt) => {
    const until = performance.now() + findTime;
    const unknown = rows.filter(({ remoteId }) => remoteId === undefined);
    const ids = unknown.length === 0 ? [] : await find(unknown, attempt);
    const idOf = new Map(unknown.map((row, place) => [row.no, ids[place]]));
    if (performance.now() > until) throw new MillraceError('unavailable', 'looking the rows up took too long; nothing was written');
    return await eachRow(rows, { width, until }, async (row) => {
      const remoteId = row.remoteId ?? idOf.get(row.no);
      return remoteId === undefined ? await lost(row, attempt) : await one({ ...row, remoteId }, attempt);
    });
  };
}
