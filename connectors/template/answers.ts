import { parseDuration } from '../../schema/quantity.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Settling } from '../../schema/sync.ts';
import type { Outcome, OutgoingRow } from '../application.ts';
import type { HttpAnswer } from '../http/client.ts';
import { withoutValues } from '../without-values.ts';
import type { AnswersDeclaration } from './declaration.ts';
import { findAll, findFirst, jsonPath, textOf, type Found, type JsonPath } from './json-path.ts';
import { compileMatching, type Matching } from './matching.ts';
import type { ObjectScope } from './scope.ts';

/** A reason in which the row's own values are left out. */
function withoutValuesOf(reason: string, { match, fields }: OutgoingRow): string {
  const values = [...Object.values(match), ...Object.values(fields)]
    .filter((value) => typeof value === 'string' && value.length > 3)
    .map(String);
  return withoutValues(reason, values);
}

const masked = (outcome: Outcome, row: OutgoingRow | undefined): Outcome =>
  outcome.status === 'acknowledged' || row === undefined ? outcome : { ...outcome, reason: withoutValuesOf(outcome.reason, row) };

/** What an answer means for the rows of its request; throws `rejected` where a batch was refused as a whole. */
export type ReadAnswer = (answer: HttpAnswer, rows: readonly OutgoingRow[], scope: ObjectScope) => readonly Outcome[];

interface Entries {
  readonly path: JsonPath;
  readonly match: Matching;
}

const optional = (path: string | undefined): JsonPath | undefined => (path === undefined ? undefined : jsonPath(path));
const withRequest = ({ requestId }: HttpAnswer): { readonly requestId?: string } => (requestId === undefined ? {} : { requestId });
const withCode = (code: string | undefined): { readonly code?: string } => (code === undefined ? {} : { code });
const withRemote = (id: unknown): { readonly remoteId?: string } => {
  const remoteId = textOf(id);
  return remoteId === undefined ? {} : { remoteId };
};

/** Where APIs commonly say why. */
const commonReasons = ['$.detail', '$.message', '$.error.message', '$.errors[0].message', '$.error_description', '$.title', '$.error'].map(
  jsonPath,
);

function reasonOf(answer: HttpAnswer, path: JsonPath | undefined): string {
  const found = path === undefined ? commonReasons.map((common) => findFirst(common, answer.body)) : [findFirst(path, answer.body)];
  const text = found.map(textOf).find((reason) => reason !== undefined);
  return text === undefined ? `HTTP ${answer.status}` : text.slice(0, 1_000);
}

/** Was the request done as a whole, whatever became of single rows? */
function isDone(answer: HttpAnswer, { acknowledged, success }: AnswersDeclaration): boolean {
  const byStatus = acknowledged === undefined ? answer.status >= 200 && answer.status < 300 : acknowledged.includes(answer.status);
  if (!byStatus || success === undefined || answer.status >= 400) return byStatus;
  return findFirst(jsonPath(success.path), answer.body) === (success.equals ?? true);
}

export function compileAnswers(declared: AnswersDeclaration, settles: Settling): ReadAnswer {
  const reason = optional(declared.reason);
  const code = optional(declared.code);
  const remoteId = optional(declared.remote_id);
  const perRow = compileRows(declared, settles);
  const { again } = declared;
  return (answer, rows, scope) => {
    const { status } = answer;
    if (again?.statuses.includes(status) === true) {
      const after = parseDuration(again.after) ?? 1000;
      return rows.map(() => ({ status: 'again', reason: reasonOf(answer, reason), after, ...withRequest(answer) }));
    }
    if (!isDone(answer, declared)) return refused(answer, rows, reasonOf(answer, reason), textOf(findFirst(code, answer.body)));
    const outcomes = perRow?.(answer, rows, scope);
    const id = rows.length === 1 ? withRemote(findFirst(remoteId, answer.body)) : {};
    return outcomes ?? rows.map(() => ({ status: 'acknowledged', ...id, ...withRequest(answer) }));
  };
}

/** A refusal of several rows is halved until the row stands alone. */
function refused(answer: HttpAnswer, rows: readonly OutgoingRow[], reason: string, code: string | undefined): readonly Outcome[] {
  if (rows.length > 1 && answer.status === 403)
    throw new MillraceError('auth', `HTTP 403: ${reason}; its credential has no right to this request`);
  if (rows.length > 1) throw new MillraceError('rejected', reason);
  return rows.map((row) => masked({ status: 'rejected', reason, code: code ?? String(answer.status), ...withRequest(answer) }, row));
}

type ReadRows = (answer: HttpAnswer, rows: readonly OutgoingRow[], scope: ObjectScope) => readonly Outcome[];

function compileRows({ errors, accepted }: AnswersDeclaration, settles: Settling): ReadRows | undefined {
  const errorEntries = errors && { path: jsonPath(errors.path), match: compileMatching(errors.match) };
  const acceptedEntries = accepted && { path: jsonPath(accepted.path), match: compileMatching(accepted.match) };
  if (errorEntries === undefined && acceptedEntries === undefined) return undefined;
  const outcomeOf = compileError(errors);
  const remoteId = optional(accepted?.remote_id);
  return (answer, rows, scope) => {
    const outcomes: (Outcome | undefined)[] = rows.map(() => undefined);
    each(acceptedEntries, answer, rows, scope, (place, entry) => {
      outcomes[place] = { status: 'acknowledged', ...withRemote(findFirst(remoteId, entry.value)), ...withRequest(answer) };
    });
    const strays = each(errorEntries, answer, rows, scope, (place, entry) => {
      outcomes[place] = masked(outcomeOf(entry, answer), rows[place]);
    });
    const isNamed = outcomes.some((outcome) => outcome !== undefined);
    const unnamed = strays > 0 ? stray(answer, rows, settles, isNamed) : undefined;
    return outcomes.map(
      (outcome) => outcome ?? unnamed ?? (accepted === undefined ? { status: 'acknowledged', ...withRequest(answer) } : missing(answer)),
    );
  };
}

/** Hands each entry of an answer to the rows that it is about; gives the number of entries that are about none. */
function each(
  entries: Entries | undefined,
  answer: HttpAnswer,
  rows: readonly OutgoingRow[],
  scope: ObjectScope,
  take: (place: number, entry: Found) => void,
): number {
  if (entries === undefined) return 0;
  const match = entries.match(rows, scope);
  let strays = 0;
  for (const entry of findAll(entries.path, answer.body)) {
    const places = rows.length === 1 ? [0] : match(entry);
    if (places.length === 0) strays += 1;
    for (const place of places) take(place, entry);
  }
  return strays;
}

function compileError(errors: AnswersDeclaration['errors']): (entry: Found, answer: HttpAnswer) => Outcome {
  const reasonPath = optional(errors?.reason);
  const codePath = optional(errors?.code);
  const again = new Set(errors?.again?.map(String));
  const done = new Set(errors?.done?.map(String));
  return ({ value }, answer) => {
    const code = textOf(findFirst(codePath, value));
    const reason = textOf(reasonPath === undefined ? value : findFirst(reasonPath, value))?.slice(0, 1_000) ?? 'no reason was given';
    if (code !== undefined && done.has(code)) return { status: 'acknowledged', ...withRequest(answer) };
    if (code !== undefined && again.has(code)) return { status: 'again', reason, after: 1_000, ...withRequest(answer) };
    return { status: 'rejected', reason, ...withCode(code), ...withRequest(answer) };
  };
}

const missing = (answer: HttpAnswer): Outcome => ({
  status: 'unknown',
  reason: 'the answer says nothing of the row',
  ...withRequest(answer),
});

/** The answer refuses something that can't be told apart: alone, each row will be. Where sending again could double, nobody knows. */
function stray(answer: HttpAnswer, rows: readonly OutgoingRow[], settles: Settling, isNamed: boolean): Outcome {
  const reason = 'the answer names an error that fits no row';
  if (rows.length > 1 && !isNamed && (settles === 'upsert' || settles === 'idempotency-key')) throw new MillraceError('rejected', reason);
  return { status: 'unknown', reason, ...withRequest(answer) };
}
