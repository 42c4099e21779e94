import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Application, Batch, ObjectDescription, Outcome, OutgoingRow, Polled, StartedJob } from '../../connectors/application.ts';
import { MillraceError } from '../../schema/errors.ts';
import { operations, type Operation } from '../../schema/sync.ts';
import { jsonText } from '../../schema/value.ts';
import { startFake, type Effect, type Fake, type FakeAnswer, type Vendor } from './fake.ts';

/** What the fake application does with rows; tests change it while it runs. */
interface LedgeredState {
  /** Keys for which a whole batch is refused. */
  readonly poisoned: Set<string>;
  /** Keys that are refused alone, with the reason. */
  readonly refused: Map<string, string>;
  /** Keys that are locked, for so many requests. */
  readonly locked: Map<string, number>;
  /** Answers `accepted` with the job's id in place of outcomes. */
  jobs: boolean;
  /** How often a job is asked about before it has ended. */
  jobPolls: number;
  /** The jobs there are now are not known any more; set back by the first that is begun after that. */
  forgotten: boolean;
  /** Objects by key; a create of one that is there makes a second. */
  readonly objects: Map<string, { readonly id: string; readonly fields: Readonly<Record<string, unknown>> }[]>;
}

const sentRow = z.object({
  /** The row's number in the plan; jobs answer by it. */
  no: z.number().optional(),
  key: z.string(),
  fields: z.record(z.string(), z.unknown()),
  idempotencyKey: z.string().optional(),
});
type SentRow = z.infer<typeof sentRow>;
const sentBatch = z.object({ operation: z.enum(operations), rows: z.array(sentRow) });
type SentBatch = z.infer<typeof sentBatch>;

const rowResult = z.object({
  no: z.number().optional(),
  status: z.enum(['ok', 'refused', 'locked']),
  id: z.string().optional(),
  reason: z.string().optional(),
});
type RowResult = z.infer<typeof rowResult>;
const batchAnswer = z.object({ results: z.array(rowResult) });

const object = 'things';

/** An application that keeps things by key, and does with them what a test says. */
export interface Ledgered extends Fake {
  readonly state: LedgeredState;
  /** The effects on one key, in order. */
  effectsOf(key: string): readonly Effect[];
}

export async function startLedgered(port = 0): Promise<Ledgered> {
  const state: LedgeredState = {
    poisoned: new Set(),
    refused: new Map(),
    locked: new Map(),
    jobs: false,
    jobPolls: 2,
    forgotten: false,
    objects: new Map(),
  };
  const byIdempotencyKey = new Map<string, RowResult>();
  const jobs = new Map<string, { readonly batch: SentBatch; polls: number; results: readonly RowResult[] | undefined }>();
  type Effects = Parameters<Vendor['handle']>[1];

  const apply = (operation: Operation, { key, fields }: SentRow, record: Effects): RowResult => {
    const there = state.objects.get(key) ?? [];
    const [first] = there;
    const make = (): RowResult => {
      const id = randomUUID();
      state.objects.set(key, [...there, { id, fields }]);
      record({ operation: operation === 'add' ? 'add' : 'create', object, id, key, fields });
      return { status: 'ok', id };
    };
    const drop = (): RowResult => {
      state.objects.delete(key);
      if (first !== undefined) record({ operation: operation === 'remove' ? 'remove' : 'delete', object, id: first.id, key, fields });
      return { status: 'ok' };
    };
    const change = (id: string): RowResult => {
      state.objects.set(key, [{ id, fields: { ...first?.fields, ...fields } }]);
      record({ operation: 'update', object, id, key, fields });
      return { status: 'ok', id };
    };
    const absent = { status: 'refused', reason: 'there is no such thing' } as const;
    const does: Readonly<Record<Operation, () => RowResult>> = {
      create: make,
      add: () => (first === undefined ? make() : { status: 'ok', id: first.id }),
      update: () => (first === undefined ? absent : change(first.id)),
      upsert: () => (first === undefined ? make() : change(first.id)),
      delete: drop,
      archive: drop,
      remove: drop,
    };
    return does[operation]();
  };
  const one = (operation: Operation, row: SentRow, record: Effects): RowResult => {
    const known = row.idempotencyKey === undefined ? undefined : byIdempotencyKey.get(row.idempotencyKey);
    if (known !== undefined) return known;
    const refusal = state.refused.get(row.key);
    if (refusal !== undefined) return { status: 'refused', reason: refusal };
    const locks = state.locked.get(row.key) ?? 0;
    if (locks > 0) {
      state.locked.set(row.key, locks - 1);
      return { status: 'locked', reason: 'somebody else writes it' };
    }
    const result = apply(operation, row, record);
    if (row.idempotencyKey !== undefined) byIdempotencyKey.set(row.idempotencyKey, result);
    return result;
  };
  const take = (batch: SentBatch, record: Effects): FakeAnswer => {
    if (batch.rows.some(({ key }) => state.poisoned.has(key))) return { status: 400, body: { error: 'a row of the batch is malformed' } };
    if (state.jobs) {
      const job = randomUUID();
      if (state.forgotten) jobs.clear();
      state.forgotten = false;
      jobs.set(job, { batch, polls: 0, results: undefined });
      return { status: 202, body: { job } };
    }
    return { status: 200, body: { results: batch.rows.map((row) => one(batch.operation, row, record)) } };
  };
  const ask = (id: string, record: Effects): FakeAnswer => {
    const job = state.forgotten ? undefined : jobs.get(id);
    if (job === undefined) return { status: 404, body: { error: 'no such job' } };
    // The first question sets it going.
    job.results ??= job.batch.rows.map((row) => ({ ...one(job.batch.operation, row, record), no: row.no }));
    job.polls += 1;
    return { status: 200, body: job.polls < state.jobPolls ? {} : { results: job.results } };
  };
  const vendor: Vendor = {
    name: 'ledgered',
    handle(request, record) {
      if (request.path.startsWith('/jobs/')) return ask(request.path.slice('/jobs/'.length), record);
      if (request.path === '/find') {
        const { keys } = z.object({ keys: z.array(z.string()) }).parse(request.body);
        return { status: 200, body: { ids: keys.map((key) => state.objects.get(key)?.[0]?.id ?? null) } };
      }
      return take(sentBatch.parse(request.body), record);
    },
    throttled: (wait) => ({ status: 429, body: { error: 'slow down' }, headers: { 'retry-after': String(Math.ceil(wait / 1000)) } }),
    records: () => new Map([[object, [...state.objects].flatMap(([key, found]) => found.map((thing) => ({ key, ...thing })))]]),
  };
  const fake = await startFake(vendor, port);
  const ledgered = fake as Ledgered & { state: LedgeredState };
  return Object.assign(ledgered, { state, effectsOf: (key: string) => fake.effects.filter((effect) => effect.key === key) });
}

/** Settings of a connection of type `ledgered`. */
const ledgeredSettings = z.object({
  type: z.literal('ledgered').default('ledgered'),
  url: z.string(),
  /** How missing answers are settled, for each operation that there is. */
  settles: z.partialRecord(z.enum(operations), z.enum(['upsert', 'idempotency-key', 'lookup', 'none'])),
  batchRows: z.number().default(100),
  concurrency: z.number().default(8),
  requestTimeout: z.number().default(2000),
  jobs: z.number().optional(),
  changedOnly: z.boolean().default(false),
  /** What it says that it is. */
  account: z.string().default('ledgered'),
  description: z.custom<ObjectDescription>().optional(),
});
export type LedgeredSettings = z.input<typeof ledgeredSettings>;

const keyOf = ({ match }: OutgoingRow): string => Object.values(match).map(String).join('/');

/** The code of a request that brought no answer: only a refused connection surely had no effect. */
function lost(error: unknown): MillraceError {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
  if (cause?.code === 'ECONNREFUSED') return new MillraceError('unavailable', 'ledgered: it refuses connections');
  return new MillraceError('unknown', 'ledgered: the request brought no answer');
}

function refusal(status: number, retryAfter: string | null): MillraceError | undefined {
  if (status < 400) return undefined;
  if (status === 401) return new MillraceError('auth', 'ledgered: it refuses the credential; set another');
  if (status === 429) return new MillraceError('rate-limited', 'ledgered: slow down', { retryAfter: Number(retryAfter ?? 1) * 1000 });
  if (status >= 500) return new MillraceError('unknown', `ledgered: answered ${status}`);
  return new MillraceError('rejected', 'a row of the batch is malformed');
}

function outcomeOf({ status, id, reason = '' }: RowResult): Outcome {
  if (status === 'ok') return { status: 'acknowledged', ...(id === undefined ? {} : { remoteId: id }) };
  return status === 'refused' ? { status: 'rejected', reason } : { status: 'again', reason, after: 10 };
}

/** Opens the application of a connection of type `ledgered`. */
export function openLedgered(given: unknown): Application {
  const settings = ledgeredSettings.parse(given);
  const ask = async (method: string, path: string, body: unknown): Promise<{ status: number; body: unknown }> => {
    let answer;
    let text;
    try {
      answer = await fetch(`${settings.url}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: jsonText(body) }),
        signal: AbortSignal.timeout(settings.requestTimeout),
      });
      text = await answer.text();
    } catch (error) {
      throw lost(error);
    }
    const refused = refusal(answer.status, answer.headers.get('retry-after'));
    if (refused !== undefined && answer.status !== 404) throw refused;
    return { status: answer.status, body: JSON.parse(text) };
  };
  const rowOf = (operation: Operation, row: OutgoingRow): SentRow => ({
    no: row.no,
    key: keyOf(row),
    fields: row.fields,
    ...(settings.settles[operation] === 'idempotency-key' ? { idempotencyKey: row.idempotencyKey } : {}),
  });
  return {
    limits: {
      batchRows: settings.batchRows,
      batchBytes: 1_000_000,
      concurrency: settings.concurrency,
      requestTimeout: settings.requestTimeout,
      ...(settings.jobs === undefined ? {} : { jobs: settings.jobs }),
    },
    identity: settings.account,
    writes: Object.fromEntries(Object.entries(settings.settles).filter(([, settling]) => settling !== undefined)),
    changedOnly: settings.changedOnly,
    check: async () => ({ system: 'ledgered', problems: [], warnings: [] }),
    objects: async () => [object],
    describe: async () => settings.description ?? { fields: [], closed: false },
    async send({ operation, rows }: Batch): Promise<readonly Outcome[] | StartedJob> {
      const { status, body } = await ask('POST', '/batch', { operation, rows: rows.map((row) => rowOf(operation, row)) });
      if (status === 202) return { handle: z.object({ job: z.string() }).parse(body).job, after: 200 };
      return batchAnswer.parse(body).results.map(outcomeOf);
    },
    poll: (jobs) =>
      Promise.all(
        jobs.map(async ({ handle, batch }): Promise<Polled> => {
          const { status, body } = await ask('GET', `/jobs/${handle}`, undefined);
          if (status === 404) return { lost: 'the job is gone' };
          const ended = batchAnswer.safeParse(body);
          if (!ended.success) return { after: 200 };
          const results = new Map(ended.data.results.map((result) => [result.no, result]));
          return { outcomes: batch.rows.map(({ no }) => outcomeOf(results.get(no) ?? { status: 'refused', reason: 'no row of the job' })) };
        }),
      ),
    async find(rows) {
      const { body } = await ask('POST', '/find', { keys: rows.map(keyOf) });
      return z
        .object({ ids: z.array(z.string().nullable()) })
        .parse(body)
        .ids.map((id) => id ?? undefined);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
