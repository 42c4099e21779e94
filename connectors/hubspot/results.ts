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

const batchAnswer = z.looseObject({
  status: z.string().default('COMPLETE'),
  results: z.array(
    z.looseObject({
      id: z.string(),
      objectWriteTraceId: z.string().optional(),
      properties: z.record(z.string(), z.string().nullable()).default({}),
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

/** The rows that results and errors name. */
function toldOf({ results, errors }: BatchAnswer, traced: readonly Traced[], property: string, answer: HttpAnswer): Map<string, Outcome> {
  const told = new Map<string, Outcome>();
  const rows = new Map(traced.map(({ trace, row }) => [trace, row]));
  const byValue = new Map(traced.map(({ value, trace }) => [value, trace]));
  for (const { id, objectWriteTraceId, properties } of results) {
    const trace = objectWriteTraceId ?? byValue.get(id) ?? byValue.get(properties[property]?.toLowerCase() ?? '');
    if (trace !== undefined) told.set(trace, { status: 'acknowledged', remoteId: id, ...named(answer) });
  }
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
