import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Operation } from '../../schema/sync.ts';
import type { Batch, Outcome, OutgoingRow, Polled, StartedJob } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { identify } from './by-id.ts';
import type { SalesforceFields } from './describe.ts';
import { readResults } from './job-results.ts';
import { ask, parsed, refused, refusalOf, type Org } from './org.ts';
import { csvOf, isAmbiguousInCsv, recordOf, type FlatRecord } from './records.ts';

/** Rows of one job: Salesforce works through a job in parts of 10,000. */
export const jobRows = 10_000;

/** Bytes of a job's rows: Salesforce takes 100 MB, less is kinder to the memory of a worker. */
export const jobBytes = 32 * 1024 * 1024;

const job = z.looseObject({ id: z.string(), state: z.string(), errorMessage: z.string().nullish() });

const bulkOperations: Readonly<Partial<Record<Operation, string>>> = {
  create: 'insert',
  update: 'update',
  upsert: 'upsert',
  delete: 'delete',
};

const second = 1000;
/** Milliseconds until it is worth asking about a job of so many rows. */
const pause = (rows: number): number => Math.min(Math.max(rows / 2, second), 30 * second);

/** Nothing has an effect before a job is closed, so a failure until then is one without effect. */
function harmless(error: unknown): unknown {
  const isUnknown = error instanceof MillraceError && error.code === 'unknown';
  return isUnknown ? new MillraceError('unavailable', error.message, { cause: error }) : error;
}

async function create(org: Org, operation: Operation, attempt: Attempt): Promise<string> {
  const body = {
    object: org.object,
    operation: bulkOperations[operation],
    ...(operation === 'upsert' ? { externalIdFieldName: org.match } : {}),
    contentType: 'CSV',
    columnDelimiter: 'COMMA',
    lineEnding: 'LF',
  };
  const answer = await ask(org, { method: 'POST', path: 'jobs/ingest', body, repeatable: false }, attempt).catch((error: unknown) => {
    if (!(error instanceof MillraceError) || error.code !== 'rejected') throw error;
    throw new MillraceError('config', `${error.message}; if the Bulk API has no such object, set write: { bulk: never }`);
  });
  return parsed(org, job, answer).id;
}

async function abort(org: Org, id: string, attempt: Attempt): Promise<void> {
  await ask(org, { method: 'PATCH', path: `jobs/ingest/${id}`, body: { state: 'Aborted' }, repeatable: false }, attempt);
}

async function upload(org: Org, id: string, records: readonly FlatRecord[], attempt: Attempt): Promise<void> {
  const text = { type: 'text/csv; charset=UTF-8', body: csvOf(records) };
  try {
    await ask(org, { method: 'PUT', path: `jobs/ingest/${id}/batches`, text, expects: 'json-or-nothing', repeatable: false }, attempt);
  } catch (error) {
    // A job that stays open counts among those that an org may have; it is gone by itself after a week where this fails too.
    await abort(org, id, { ...attempt, signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    throw error;
  }
}

function recordsOf(batch: Batch, ids: ReadonlyMap<OutgoingRow, string>, fields: SalesforceFields): readonly FlatRecord[] {
  const { operation, rows } = batch;
  if (operation === 'create' || operation === 'upsert') return rows.map((row) => recordOf(row, true, fields));
  return [...ids].map(([row, Id]) => (operation === 'delete' ? { Id } : { ...recordOf(row, false, fields), Id }));
}

/**
 * Makes a job and gives it its rows. The job stays open, so that nothing happens before it is polled. Rows to update or delete whose object
 * isn't there are left out; a batch of them alone needs no job.
 */
export async function startJob(
  org: Org,
  fields: SalesforceFields,
  batch: Batch,
  attempt: Attempt,
): Promise<StartedJob | readonly Outcome[]> {
  const { operation, rows } = batch;
  try {
    const byId = operation === 'update' || operation === 'delete';
    const { targets, outcomes } = byId ? await identify(org, fields, operation, rows, attempt) : { targets: [], outcomes: new Map() };
    if (outcomes.size === rows.length) return rows.map((row) => outcomes.get(row) as Outcome);
    const records = recordsOf(batch, new Map(targets.map(({ row, id }) => [row, id])), fields);
    if (records.some(isAmbiguousInCsv)) {
      throw new MillraceError('rejected', `connection ${org.name}: a job can't write the text #N/A, which empties a field`);
    }
    const id = await create(org, operation, attempt);
    await upload(org, id, records, attempt);
    return { handle: id, after: 0 };
  } catch (error) {
    throw harmless(error);
  }
}

/** What is known of a job; undefined when Salesforce has forgotten it. */
async function read(org: Org, id: string, attempt: Attempt): Promise<z.infer<typeof job> | undefined> {
  const path = `${org.path}/jobs/ingest/${encodeURIComponent(id)}`;
  const answer = await org.client.request({ method: 'GET', path, repeatable: true }, attempt);
  if (answer.status === 404) return undefined;
  if (answer.status >= 400) throw refused(org, answer);
  return parsed(org, job, answer);
}

/** Closes a job, which sets it going. What goes wrong here shows when the job is asked about the next time. */
async function close(org: Org, id: string, attempt: Attempt): Promise<void> {
  const path = `${org.path}/jobs/ingest/${encodeURIComponent(id)}`;
  try {
    const answer = await org.client.request({ method: 'PATCH', path, body: { state: 'UploadComplete' }, repeatable: false }, attempt);
    const isClosed = /STATE/i.test(refusalOf(answer).code);
    if (answer.status >= 400 && !isClosed) throw refused(org, answer);
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'unknown') throw error;
  }
}

const ended = new Set(['JobComplete', 'Failed', 'Aborted']);

/** Moves a job on: closes one that is open, and tells the outcomes of one that has ended. */
export async function pollJob(org: Org, fields: SalesforceFields, handle: string, batch: Batch, attempt: Attempt): Promise<Polled> {
  const found = await read(org, handle, attempt);
  if (found === undefined) return { lost: `Salesforce doesn't know the job ${handle} any more` };
  if (found.state === 'Open') await close(org, handle, attempt);
  if (!ended.has(found.state)) return { after: pause(batch.rows.length) };
  const { state, errorMessage } = found;
  const why = `the job ${handle} ended as ${state}${typeof errorMessage === 'string' && errorMessage !== '' ? `: ${errorMessage}` : ''}`;
  return await readResults(org, fields, { handle, state, why }, batch, attempt);
}
