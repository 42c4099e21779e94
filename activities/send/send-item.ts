import { performance } from 'node:perf_hooks';
import type { Outcome, StartedJob } from '../../connectors/application.ts';
import type { RecordedRow } from '../../connectors/sync-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import { call, halves, isMarked, missed, nosOf, recorded, settlingOf, tryLater, type Sending } from './context.ts';
import type { SizedRow } from './outgoing.ts';
import { settleMissing } from './settle.ts';
import type { Item } from './work.ts';

/** What became of one request: refused as a whole, or done with, in order or not. */
type Sent = { readonly refused: MillraceError } | 'answered' | 'troubled';

type Again = Extract<Outcome, { status: 'again' }>;

const optional = (requestId: string | undefined): { readonly requestId?: string } => (requestId === undefined ? {} : { requestId });

/** Rows that are sent again after their pause; refused when that was often enough. They were not taken: nothing of them is under way. */
async function again(sending: Sending, item: Item, locked: readonly (readonly [SizedRow, Again])[]): Promise<void> {
  const isEnough = item.tries + 1 >= sending.pace.sends;
  if (!isEnough && isMarked(settlingOf(sending, item.operation))) await sending.writer.unmark(locked.map(([{ no }]) => no));
  for (const [row, { after, reason, requestId }] of locked) {
    if (!isEnough) tryLater(sending, { ...item, rows: [row], marked: false }, after);
    else {
      const said = `after ${item.tries + 1} tries: ${reason}`;
      sending.writer.record([{ no: row.no, outcome: 'rejected', reason: said, ...optional(requestId) }]);
    }
  }
}

/** Takes what the application said of each row. */
async function takeOutcomes(sending: Sending, item: Item, outcomes: readonly Outcome[]): Promise<void> {
  if (outcomes.length !== item.rows.length) {
    throw new Error(`sync ${sending.sync.name}: ${outcomes.length} outcomes for ${item.rows.length} rows`);
  }
  const settled: RecordedRow[] = [];
  const locked: [SizedRow, Again][] = [];
  const missing: SizedRow[] = [];
  let why: Extract<Outcome, { status: 'unknown' }> | undefined;
  item.rows.forEach((row, at) => {
    const outcome = outcomes[at];
    if (outcome === undefined) return;
    if (outcome.status === 'again') locked.push([row, outcome]);
    else if (outcome.status === 'unknown') {
      missing.push(row);
      why ??= outcome;
    } else {
      const { status, ...rest } = outcome;
      settled.push(recorded(item, { no: row.no, outcome: status, ...rest }));
    }
  });
  sending.writer.record(settled);
  if (why !== undefined) missed(sending, item.operation, performance.now());
  if (why !== undefined) settleMissing(sending, { ...item, rows: missing }, why.reason, why.requestId);
  if (locked.length > 0) await again(sending, item, locked);
}

/** The request failed, and surely had no effect. */
function withoutEffect(sending: Sending, item: Item, error: MillraceError): void {
  const isPassing = error.code === 'unavailable' && item.tries + 1 < sending.pace.tries;
  if (isPassing) tryLater(sending, item, error.retryAfter ?? 0, { marked: false });
  else sending.stop(error);
}

async function failed(sending: Sending, item: Item, error: unknown): Promise<Sent> {
  if (!(error instanceof MillraceError)) throw error;
  if (error.code === 'unknown') {
    settleMissing(sending, { ...item, marked: true }, error.message);
    return 'troubled';
  }
  if (isMarked(settlingOf(sending, item.operation))) await sending.writer.unmark(nosOf(item.rows));
  if (error.code !== 'rejected') {
    withoutEffect(sending, item, error);
    return 'troubled';
  }
  sending.answeredAt = performance.now();
  return { refused: error };
}

async function take(sending: Sending, item: Item, answer: readonly Outcome[] | StartedJob): Promise<Sent> {
  sending.answeredAt = performance.now();
  if ('handle' in answer) sending.started(item, answer);
  else await takeOutcomes(sending, item, answer);
  return 'answered';
}

/** Sends rows by one request. The hold is proved just before, and rows that could be doubled are noted as sent. */
async function sendOnce(sending: Sending, item: Item): Promise<Sent> {
  const { application, writer, attempt } = sending;
  const marks = isMarked(settlingOf(sending, item.operation)) && !item.marked;
  if (marks) await writer.mark(nosOf(item.rows));
  const provedUntil = await writer.prove();
  if (sending.isStopped()) {
    if (marks) await writer.unmark(nosOf(item.rows));
    return 'troubled';
  }
  const { operation, rows } = item;
  const startedAt = performance.now();
  // Who takes the books over waits just so long; a process that was stopped may come back after that.
  const until = provedUntil + application.limits.requestTimeout;
  let answer;
  try {
    answer = await call(sending, () => application.send({ operation, rows }, { ...attempt, until }));
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code === 'unknown') missed(sending, operation, startedAt);
    return await failed(sending, item, error);
  }
  return await take(sending, item, answer);
}

/**
 * Finds the row for which a request was refused: halves of it are sent until one row stands alone. When the first half passes, the
 * second holds the row and is halved at once, and what was left aside goes by one request in the end: about log2 n requests.
 */
async function isolate(sending: Sending, item: Item, error: MillraceError): Promise<void> {
  let suspects = item.rows;
  let refusal: MillraceError | undefined = error;
  let aside: readonly SizedRow[] = [];
  while (suspects.length > 1) {
    const [first, second] = halves(suspects);
    const sent = await sendOnce(sending, { ...item, rows: first });
    if (sent === 'answered') [suspects, refusal] = [second, undefined];
    else {
      aside = [...second, ...aside];
      if (sent === 'troubled') return sending.work.add({ ...item, rows: aside });
      [suspects, refusal] = [first, sent.refused];
    }
  }
  if (aside.length > 0) sending.work.add({ ...item, rows: aside });
  if (refusal === undefined) {
    const sent = await sendOnce(sending, { ...item, rows: suspects });
    if (typeof sent === 'string') return;
    refusal = sent.refused;
  }
  const reason = refusal.message;
  sending.writer.record(suspects.map(({ no }): RecordedRow => ({ no, outcome: 'rejected', reason })));
}

/** Sends an item to its end, as far as it can be known now. */
export async function sendItem(sending: Sending, item: Item): Promise<void> {
  const sent = await sendOnce(sending, item);
  if (typeof sent !== 'string') await isolate(sending, { ...item, marked: false }, sent.refused);
}
