import { parse } from 'csv-parse/sync';
import { MillraceError } from '../../schema/errors.ts';
import type { Batch, Outcome, OutgoingRow, Polled } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { identify, lookUp, type Target } from './by-id.ts';
import type { SalesforceFields } from './describe.ts';
import { shortId } from './lookup.ts';
import { refused, type Org } from './org.ts';
import { textOf } from './records.ts';
import { refusedRow, saysGone, type RowError } from './outcomes.ts';

/** A job that has ended. */
export interface EndedJob {
  readonly handle: string;
  readonly state: string;
  /** A sentence about how it ended. */
  readonly why: string;
}

type ResultRow = Readonly<Record<string, string>>;

/** One of a job's three result files; undefined when Salesforce has it no more: it keeps them for seven days. */
async function readFile(org: Org, handle: string, file: string, attempt: Attempt): Promise<readonly ResultRow[] | undefined> {
  const path = `${org.path}/jobs/ingest/${encodeURIComponent(handle)}/${file}`;
  const answer = await org.client.request(
    { method: 'GET', path, headers: { accept: 'text/csv' }, expects: 'text', repeatable: true },
    attempt,
  );
  if (answer.status === 404) return undefined;
  if (answer.status >= 400) throw refused(org, answer);
  try {
    return parse(answer.text, { columns: true, bom: true, skip_empty_lines: true });
  } catch (cause) {
    throw new MillraceError('unavailable', `connection ${org.name}: ${file} of the job ${handle} came incomplete`, { cause });
  }
}

/** `REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --` */
function rowErrorOf(text: string): RowError {
  const [, code = 'UNKNOWN_EXCEPTION', message = text, fields = ''] = /^([A-Z][A-Z0-9_]+):([^]*?)(?::([\w., ]*))?\s*--$/.exec(text) ?? [];
  const names = fields.split(',').map((name) => name.trim());
  return { code, message, fields: names.filter((name) => name !== '') };
}

/** Salesforce gave a job up for reasons that pass: its rows are sent again. */
const passing = /TooManyLockFailure|InternalServerError|Timeout|maximum processing time|tried.*times/i;

/** Outcomes by what tells the rows of a job apart. */
class Results {
  private readonly byKey = new Map<string, (row: OutgoingRow) => Outcome>();
  private readonly job: EndedJob;
  private readonly keyOf: (row: ResultRow) => string;

  constructor(job: EndedJob, keyOf: (row: ResultRow) => string) {
    this.job = job;
    this.keyOf = keyOf;
  }

  add(files: {
    readonly successful: readonly ResultRow[];
    readonly failed: readonly ResultRow[];
    readonly unprocessed: readonly ResultRow[];
  }): void {
    const { handle: requestId, why, state } = this.job;
    for (const row of files.unprocessed) {
      this.byKey.set(this.keyOf(row), () =>
        state === 'Failed' && passing.test(why)
          ? { status: 'again', reason: why, after: 10_000, requestId }
          : { status: 'rejected', reason: `not processed, for ${why}`, code: `JOB_${state.toUpperCase()}`, requestId },
      );
    }
    for (const row of files.failed) {
      this.byKey.set(this.keyOf(row), (outgoing) => refusedRow(rowErrorOf(row['sf__Error'] ?? ''), outgoing, requestId));
    }
    for (const row of files.successful) {
      const remoteId = row['sf__Id'] ?? '';
      this.byKey.set(this.keyOf(row), () => ({ status: 'acknowledged', requestId, ...(remoteId === '' ? {} : { remoteId }) }));
    }
  }

  of(key: string, row: OutgoingRow): Outcome | undefined {
    return this.byKey.get(key)?.(row);
  }
}

/** Outcomes of rows that were written by id, in order. Rows whose object was looked up are looked up once more, for a handle can't hold their ids. */
async function byId(
  org: Org,
  fields: SalesforceFields,
  results: Results,
  job: EndedJob,
  batch: Batch,
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const { operation, rows } = batch;
  const identified = await identify(org, fields, operation, rows, attempt);
  const outcomes = new Map(identified.outcomes);
  const outcomeOf = ({ row, id }: Target): Outcome =>
    results.of(shortId(id), row) ?? {
      status: 'again',
      reason: `its object wasn't there when the job ${job.handle} was made`,
      after: 0,
      requestId: job.handle,
    };
  for (const target of identified.targets) outcomes.set(target.row, outcomeOf(target));
  if (operation === 'delete') {
    const gone = rows.filter((row) => saysGone(outcomes.get(row) as Outcome));
    for (const [row, outcome] of (await lookUp(org, fields, operation, gone, attempt)).outcomes) outcomes.set(row, outcome);
  }
  return rows.map((row) => outcomes.get(row) as Outcome);
}

/** Reads the results of a job that has ended, which are in no order, and gives each row of its batch its own. */
export async function readResults(org: Org, fields: SalesforceFields, job: EndedJob, batch: Batch, attempt: Attempt): Promise<Polled> {
  const { operation, rows } = batch;
  const [successful, failed, unprocessed] = await Promise.all(
    ['successfulResults', 'failedResults', 'unprocessedrecords'].map((file) => readFile(org, job.handle, file, attempt)),
  );
  if (successful === undefined || failed === undefined || unprocessed === undefined) {
    return { lost: `Salesforce doesn't have the results of the job ${job.handle} any more` };
  }
  const isById = operation === 'update' || operation === 'delete';
  const results = new Results(job, (row) => (isById ? shortId(row['Id'] ?? '') : (row[org.match] ?? '')));
  results.add({ successful, failed, unprocessed });
  if (isById) return { outcomes: await byId(org, fields, results, job, batch, attempt) };
  const unknown: Outcome = { status: 'unknown', reason: `the results of the job ${job.handle} don't have it`, requestId: job.handle };
  return { outcomes: rows.map((row) => results.of(textOf(row.match[org.match]), row) ?? unknown) };
}
