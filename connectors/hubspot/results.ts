import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Batch, Outcome, OutgoingRow } from '../application.ts';
import type { HttpAnswer } from '../http/client.ts';
import { named, parse, reasonOf, type Account } from './account.ts';

const traceIds = z.union([z.string().transform((trace) => [trace]), z.array(z.string())]).default([]);
const batchError = z
  .looseObject({
    category: z.string().default(''),
    message: z.string().default(''),
    context: z.looseObject({ objectWriteTraceId: traceIds }).default({ objectWriteTraceId: [] }),
  })
  .transform(({ category, message, context }) => ({ category, message, traces: context.objectWriteTraceId }));
type BatchError = z.infer<typeof batchError>;

const batchAnswer = z.object({
  status: z.string().default('COMPLETE'),
  results: z.array(
    z.object({
      id: z.string(),
      objectWriteTraceId: z.string().optional(),
      // Looked at only where a result doesn't give its trace back: there are as many as rows.
      properties: z.unknown(),
    }),
  ),
  errors: z.array(batchError).default([]),
});
type BatchAnswer = z.infer<typeof batchAnswer>;

/** What one row looks like in a request: the trace that HubSpot gives back, and the value that it is found by. */
export interface Traced {
  readonly row: OutgoingRow;
  readonly trace: string;
  /** The id or match value, lower case. */
  readonly value: string;
}

const passing = /lock|rate_?limit|timeout|concurren|internal/i;
const passingWait = 2000;

function outcomeOfError({ category, message }: BatchError, row: OutgoingRow, answer: HttpAnswer): Outcome {
  const reason = reasonOf(message === '' ? category : message, [row]);
  if (passing.test(category)) return { status: 'again', reason, after: passingWait, ...named(answer) };
  return { status: 'rejected', reason, ...(category === '' ? {} : { code: category }), ...named(answer) };
}

const properties = z.record(z.string(), z.unknown());

/** The traces of results that don't give them back, by their id or match value. */
function tracesByValue(traced: readonly Traced[], property: string): (result: BatchAnswer['results'][number]) => string | undefined {
  let traces: ReadonlyMap<string, string> | undefined;
  return ({ id, properties: given }) => {
    traces ??= new Map(traced.map(({ value, trace }) => [value, trace]));
    const value = properties.safeParse(given).data?.[property];
    return traces.get(id) ?? traces.get(typeof value === 'string' ? value.toLowerCase() : '');
  };
}

/** The rows that results and errors name. */
function toldOf({ results, errors }: BatchAnswer, traced: readonly Traced[], property: string, answer: HttpAnswer): Map<string, Outcome> {
  const told = new Map<string, Outcome>();
  const requestId = named(answer);
  const traceOf = tracesByValue(traced, property);
  for (const result of results) {
    const trace = result.objectWriteTraceId ?? traceOf(result);
    if (trace !== undefined) told.set(trace, { status: 'acknowledged', remoteId: result.id, ...requestId });
  }
  if (errors.length === 0) return told;
  const rows = new Map(traced.map(({ trace, row }) => [trace, row]));
  for (const error of errors)
    for (const trace of error.traces) {
      const row = rows.get(trace);
      if (row !== undefined) told.set(trace, outcomeOfError(error, row, answer));
    }
  return told;
}

/**
 * Outcomes of a batch of records. Results and errors name their rows by trace, results by their id or match value too. An answer that has errors and
 * no result, and doesn't say whose errors they are, is a refusal of the whole batch under a good status.
 */
export function outcomesOf(
  account: Account,
  operation: Batch['operation'],
  traced: readonly Traced[],
  property: string,
  answer: HttpAnswer,
): readonly Outcome[] {
  const parsed = parse(account, batchAnswer, answer);
  const told = toldOf(parsed, traced, property, answer);
  const nameless = parsed.errors.find(({ traces }) => traces.length === 0);
  if (nameless !== undefined && told.size === 0 && traced.length > 1) {
    const reason = reasonOf(
      nameless.message,
      traced.map(({ row }) => row),
    );
    throw new MillraceError(
      'rejected',
      `connection ${account.name}: HubSpot answered HTTP ${answer.status} with errors and no result: ${reason}`,
    );
  }
  // What is missing of a create, or of an answer that isn't complete, may have been made.
  const mayBe = parsed.status !== 'COMPLETE' || (operation === 'create' && nameless === undefined);
  return traced.map(({ trace, row }) => told.get(trace) ?? missing(nameless, row, mayBe, answer));
}

function missing(nameless: BatchError | undefined, row: OutgoingRow, mayBe: boolean, answer: HttpAnswer): Outcome {
  if (mayBe) return { status: 'unknown', reason: 'HubSpot gave neither a result nor an error for it', ...named(answer) };
  if (nameless !== undefined) return outcomeOfError(nameless, row, answer);
  return {
    status: 'rejected',
    reason: 'HubSpot gave neither a result nor an error for it, as for records that it does not have',
    ...named(answer),
  };
}
