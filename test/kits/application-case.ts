import assert from 'node:assert/strict';
import type {
  Application,
  ApplicationContext,
  ApplicationRequest,
  Batch,
  Outcome,
  OutgoingRow,
  Polled,
  StartedJob,
} from '../../connectors/application.ts';
import { MillraceError, type ErrorCode } from '../../schema/errors.ts';
import type { Operation } from '../../schema/sync.ts';
import type { FieldValue } from '../../schema/value.ts';
import type { Fake, FakeAnswer, FakeRequest } from '../fakes/fake.ts';
import { memoryContext } from './memory-stores.ts';
import { testAttempt } from './source.ts';

/** The values of one row of a test. */
export interface RowValues {
  readonly match: Readonly<Record<string, FieldValue>>;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** How a test opens an application. */
export interface Opening {
  readonly request: ApplicationRequest;
  readonly context: ApplicationContext;
  /** True: with a credential that the system refuses. */
  readonly wrongCredential: boolean;
}

/** What an application under test is made of; `System` is what it writes to, a `Fake` for SaaS. */
export interface ApplicationCase<System extends AsyncDisposable> {
  readonly name: string;
  readonly request: { readonly object: string } & Partial<ApplicationRequest>;
  /** A fresh and empty system; closed after each test. */
  start(): Promise<System>;
  open(system: System, opening: Opening): Promise<Application>;
  /** Text of the credential, right and wrong, that no message may hold. */
  readonly secrets: readonly string[];
  /** Has it credentials that can be wrong? True by default. */
  readonly hasCredential?: boolean;
  /** Every operation that the object has; the same as `writes`. */
  readonly operations: readonly Operation[];
  /** The row of a number, and its values in a later version; no two numbers have the same match. */
  row(no: number, version: number): RowValues;
  /** Puts what rows need into the system, past its API: objects for update, delete and remove, objects that can become members for add. */
  seed(system: System, rows: readonly RowValues[], operation: Operation): Promise<void> | void;
  /** What the system has for a row: its fields, `{}` for a member; undefined when there is nothing. */
  stored(
    system: System,
    row: RowValues,
  ): Promise<Readonly<Record<string, unknown>> | undefined> | Readonly<Record<string, unknown>> | undefined;
  /** A value as the system has it; text of it by default. */
  normalize?(value: unknown): unknown;
  /** A row that the system refuses, for an operation that takes it. */
  readonly refused?: { readonly operation: Operation; row(no: number): RowValues };
  /** What becomes of a create whose object is there; `rejected` by default, `created`: it has no identity, so look-ups must come first. */
  readonly createOfExisting?: 'rejected' | 'acknowledged' | 'created';
  /** A name that is no object, and what the error names as the nearest. */
  readonly missing?: { readonly object: string; readonly nearest: string };
  /** Fields that `describe` must give. */
  readonly described?: readonly string[];
  /** Operations that batchRows is tried with; the first one by default. */
  readonly capOperation?: Operation;
  /** False where the system itself takes larger batches. */
  readonly capped?: boolean;
  /** What is only true of applications over HTTP. */
  readonly http?: {
    fake(system: System): Fake;
    /** The requests that write, or start a job. */
    isWrite(request: FakeRequest): boolean;
    /** The operation that troubles are tried with; the first one by default. */
    readonly operation?: Operation;
    /** The vendor's answer when throttled, asking for a wait of so many milliseconds. */
    throttled(wait: number): FakeAnswer;
    /** A vendor's answer that refuses a whole batch for what it holds. */
    readonly wholeRefusal?: FakeAnswer;
    /** What an answer of 503 becomes; `unknown` by default. */
    readonly serverError?: ErrorCode;
  };
  /** Makes the system forget a job, by its handle. */
  loseJob?(system: System, handle: string): void;
}

/** A row as the send engine would make it. */
export function outgoing(no: number, values: RowValues, version = 0): OutgoingRow {
  return { no, key: `key-${no}`, ...values, remoteId: undefined, idempotencyKey: `test-${no}-${version}` };
}

const isJob = (sent: readonly Outcome[] | StartedJob): sent is StartedJob => 'handle' in sent;

/** Sends a batch and, when it becomes a job, polls until its outcomes are there. */
export async function outcomesOf(application: Application, batch: Batch): Promise<readonly Outcome[]> {
  const sent = await application.send(batch, testAttempt());
  return isJob(sent) ? await pollToEnd(application, sent.handle, batch) : sent;
}

async function pollToEnd(application: Application, handle: string, batch: Batch): Promise<readonly Outcome[]> {
  for (let turn = 0; turn < 200; turn += 1) {
    const [polled] = await pollJobs(application, [{ handle, batch }]);
    assert.ok(polled);
    if ('outcomes' in polled) return polled.outcomes;
    assert.ok('after' in polled, `the job was lost: ${JSON.stringify(polled)}`);
    await new Promise((resolve) => setTimeout(resolve, Math.min(polled.after, 20)));
  }
  throw new Error(`the job ${handle} doesn't end`);
}

/** One answer for each job. */
export async function pollJobs(
  application: Application,
  jobs: readonly { readonly handle: string; readonly batch: Batch }[],
): Promise<readonly Polled[]> {
  const polled = await application.poll?.(jobs, testAttempt());
  assert.equal(polled?.length, jobs.length, 'an application that starts jobs polls them');
  return polled;
}

/** The failure of something, checked for secrets; fails when it succeeds or throws anything but a `MillraceError`. */
export async function failureOf(work: Promise<unknown>, secrets: readonly string[]): Promise<MillraceError> {
  const failure = await work.then(
    (value) => assert.fail(`it should have failed, and gave ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  if (!(failure instanceof MillraceError)) throw failure;
  assertSecretFree(`${failure.stack ?? failure.message} ${String(failure.cause)}`, secrets);
  return failure;
}

/** Asserts that no secret is in a text. */
export function assertSecretFree(text: string, secrets: readonly string[]): void {
  for (const secret of secrets) assert.ok(!text.includes(secret), 'a secret is in a message');
}

/** What became of a batch, whether it was thrown or told row by row: `acknowledged`, `rejected`, `unknown`, or an error's code. */
export async function fateOf(application: Application, batch: Batch, secrets: readonly string[]): Promise<string> {
  const settled = await outcomesOf(application, batch).then(
    (outcomes) => ({ outcomes }),
    (error: unknown) => ({ error }),
  );
  if ('error' in settled) return (await failureOf(Promise.reject(settled.error), secrets)).code;
  assertSecretFree(JSON.stringify(settled.outcomes), secrets);
  return [...new Set(settled.outcomes.map((outcome) => outcome.status))].join(' ');
}

/** What the tests of a case share. */
export class Bench<System extends AsyncDisposable> {
  readonly given: ApplicationCase<System>;
  constructor(given: ApplicationCase<System>) {
    this.given = given;
  }

  get first(): Operation {
    const [first] = this.given.operations;
    assert.ok(first);
    return first;
  }

  /** Runs a test with a fresh system and an application opened on it. */
  async with(work: (application: Application, system: System) => Promise<void>, opening: Partial<Opening> = {}): Promise<void> {
    await using system = await this.given.start();
    await using application = await this.open(system, opening);
    await work(application, system);
  }

  async open(system: System, opening: Partial<Opening> = {}): Promise<Application> {
    const [row] = [this.given.row(0, 0)];
    const request = { match: Object.keys(row.match), fields: Object.keys(row.fields), write: {}, ...this.given.request };
    return await this.given.open(system, { request, context: memoryContext(), wrongCredential: false, ...opening });
  }

  /** Rows of a version, by number. */
  rows(count: number, version = 0): readonly OutgoingRow[] {
    return Array.from({ length: count }, (_, no) => outgoing(no + 1, this.given.row(no + 1, version), version));
  }

  /** What an operation needs, and the batch of it. */
  async prepared(system: System, operation: Operation, count: number): Promise<Batch> {
    const before = Array.from({ length: count }, (_, no) => this.given.row(no + 1, 0));
    if (operation !== 'create' && operation !== 'upsert') await this.given.seed(system, before, operation);
    return { operation, rows: this.rows(count, operation === 'update' ? 1 : 0) };
  }

  /** Asserts that the system has what the operation says for a row. */
  async assertDone(system: System, operation: Operation, row: RowValues): Promise<void> {
    const stored = await this.given.stored(system, row);
    const isGone = operation === 'delete' || operation === 'archive' || operation === 'remove';
    if (isGone) return assert.equal(stored, undefined, `${operation} leaves nothing`);
    assert.ok(stored, `${operation} leaves an object`);
    if (operation === 'add') return;
    const normalize = this.given.normalize?.bind(this.given) ?? String;
    const names = Object.keys(row.fields);
    assert.deepEqual(
      names.map((name) => normalize(stored[name])),
      names.map((name) => normalize(row.fields[name])),
      names.join(', '),
    );
  }

  /** Objects that were created more than once. */
  doubled(system: System): readonly string[] {
    const creates = this.given.http?.fake(system).effects.filter(({ operation }) => operation === 'create') ?? [];
    return creates.map(({ key }) => key).filter((key, no, keys) => keys.indexOf(key) !== no);
  }
}
