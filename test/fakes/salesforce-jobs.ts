import { parse } from 'csv-parse/sync';
import type { FakeAnswer, FakeRequest } from './fake.ts';
import { salesforceObjects } from './salesforce-objects.ts';
import { refuseTwins, type RecordEffect, type RowResult, type SalesforceStore, type Values } from './salesforce-store.ts';

type State = 'Open' | 'UploadComplete' | 'InProgress' | 'JobComplete' | 'Failed' | 'Aborted';
type Csv = Readonly<Record<string, string>>;

/** A job of the Bulk API 2.0. */
export interface SalesforceJob {
  readonly id: string;
  readonly object: string;
  readonly operation: string;
  readonly externalIdFieldName: string | undefined;
  state: State;
  errorMessage: string | undefined;
  csv: string | undefined;
  successful: readonly Csv[];
  failed: readonly Csv[];
  unprocessed: readonly Csv[];
}

/** Salesforce counts a file as base64. */
const uploadBytes = 150_000_000;

const error = (status: number, errorCode: string, message: string): FakeAnswer => ({ status, body: [{ errorCode, message }] });

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

function csvOf(rows: readonly Csv[]): string {
  const [first] = rows;
  if (first === undefined) return '';
  return `${[Object.keys(first), ...rows.map((row) => Object.values(row))].map((values) => values.map(quoted).join(',')).join('\n')}\n`;
}

/** Results come in no order: the last row first, and the odd ones before the even ones. */
const shuffled = <Item>(items: readonly Item[]): Item[] => {
  const reversed = items.toReversed();
  return [...reversed.filter((_, no) => no % 2 === 1), ...reversed.filter((_, no) => no % 2 === 0)];
};

/** Text of a CSV as the value that the field takes; undefined leaves it alone. */
function valueOf(object: string, name: string, text: string): unknown {
  if (text === '') return undefined;
  if (text === '#N/A') return null;
  const type = salesforceObjects[object]?.find((field) => field.name === name)?.type;
  if (type === 'double' || type === 'currency') return Number(text);
  return type === 'boolean' ? text === 'true' : text;
}

function valuesOf(object: string, row: Csv): Values {
  const values: Values = {};
  for (const [name, text] of Object.entries(row)) {
    const value = valueOf(object, name, text);
    if (value === undefined) continue;
    const [relation = name, key] = name.split('.');
    values[relation] = key === undefined ? value : { [key]: value };
  }
  return values;
}

/** What refuses the rows of a job as a whole. */
function batchProblem({ object, operation }: SalesforceJob, columns: readonly string[]): string | undefined {
  const known = new Set(['Id', ...(salesforceObjects[object] ?? []).map(({ name }) => name)]);
  const wrong = columns.find((name) => !name.includes('.') && !known.has(name));
  if (wrong !== undefined) return `InvalidBatch : Field name not found : ${wrong}`;
  return operation === 'delete' && columns.length > 1 ? 'InvalidBatch : a delete has Id only' : undefined;
}

/** The ingest jobs of the fake org. */
export class SalesforceJobs {
  readonly all = new Map<string, SalesforceJob>();
  /** What becomes of the next job that is closed: its state, the message, and how many rows it got through. */
  readonly ends: { readonly state: 'Failed' | 'Aborted'; readonly message: string; readonly processed: number }[] = [];
  private readonly store: SalesforceStore;

  constructor(store: SalesforceStore) {
    this.store = store;
  }

  /** Forgets a job, or its results alone. */
  expire(id: string, what: 'job' | 'results' = 'job'): void {
    const job = this.all.get(id);
    if (what === 'job') this.all.delete(id);
    else if (job !== undefined) this.expired.add(id);
  }
  private readonly expired = new Set<string>();

  handle(request: FakeRequest, rest: string, record: RecordEffect): FakeAnswer {
    const [id = '', part] = rest.split('/').filter((text) => text !== '');
    if (id === '') return request.method === 'POST' ? this.create(request.body as Values) : error(405, 'METHOD_NOT_ALLOWED', 'not allowed');
    const job = this.all.get(id);
    if (job === undefined) return error(404, 'NOT_FOUND', 'The requested resource does not exist');
    if (part === undefined) return this.asked(request, job, record);
    if (part === 'batches') return this.upload(request, job);
    return this.results(job, part);
  }

  private create(body: Values): FakeAnswer {
    const { object, operation, externalIdFieldName, contentType, lineEnding } = body as Record<string, string | undefined>;
    if (object === undefined || salesforceObjects[object] === undefined)
      return error(400, 'INVALIDENTITY', `Unable to find object: ${object}`);
    if (contentType !== 'CSV' || lineEnding !== 'LF') return error(400, 'INVALIDJOB', 'contentType and lineEnding');
    if (operation === 'upsert' && externalIdFieldName === undefined) return error(400, 'INVALIDJOB', 'External ID was blank');
    const id = `750${String(this.all.size + 1).padStart(12, '0')}AAA`;
    const job: SalesforceJob = {
      id,
      object,
      operation: operation ?? '',
      externalIdFieldName,
      state: 'Open',
      errorMessage: undefined,
      csv: undefined,
      successful: [],
      failed: [],
      unprocessed: [],
    };
    this.all.set(id, job);
    return { status: 200, body: { id, state: 'Open', object, operation, contentUrl: `services/data/v62.0/jobs/ingest/${id}/batches` } };
  }

  private upload(request: FakeRequest, job: SalesforceJob): FakeAnswer {
    if (request.method !== 'PUT') return error(405, 'METHOD_NOT_ALLOWED', 'not allowed');
    if (!(request.headers['content-type'] ?? '').startsWith('text/csv')) return error(415, 'UNSUPPORTED_MEDIA_TYPE', 'text/csv is wanted');
    if (job.state !== 'Open' || job.csv !== undefined) return error(400, 'INVALIDJOBSTATE', 'the job takes no data');
    if (Buffer.byteLength(request.text) * (4 / 3) > uploadBytes) return error(400, 'INVALIDJOB', 'the data are too large');
    job.csv = request.text;
    return { status: 201 };
  }

  /** Asking moves a job on by a state; its effects come with its end. */
  private asked(request: FakeRequest, job: SalesforceJob, record: RecordEffect): FakeAnswer {
    if (request.method === 'PATCH') {
      const state = (request.body as { state?: State }).state ?? 'Open';
      if (state === 'UploadComplete' && job.state !== 'Open') return error(400, 'INVALIDJOBSTATE', `Job is ${job.state}`);
      if (state === 'UploadComplete' && job.csv === undefined) return error(400, 'INVALIDJOBSTATE', 'Found no data');
      job.state = state;
    } else if (job.state === 'UploadComplete') job.state = 'InProgress';
    else if (job.state === 'InProgress') this.work(job, record);
    const { id, state, object, operation, errorMessage } = job;
    return { status: 200, body: { id, state, object, operation, ...(errorMessage === undefined ? {} : { errorMessage }) } };
  }

  private work(job: SalesforceJob, record: RecordEffect): void {
    const rows = parse<Csv>(job.csv ?? '', { columns: true });
    const message = batchProblem(job, Object.keys(rows[0] ?? {}));
    const end = message === undefined ? this.ends.shift() : ({ state: 'Failed', message, processed: 0 } as const);
    const processed = rows.slice(0, end?.processed ?? rows.length);
    const results = this.write(job, processed, record);
    const paired = processed.map((row, no): [Csv, RowResult] => [row, results[no] as RowResult]);
    const successful = paired.filter(([, { success }]) => success);
    job.successful = shuffled(
      successful.map(([row, { id = '', created }]) => ({ sf__Id: id, sf__Created: String(created === true), ...row })),
    );
    const failed = paired.filter(([, { success }]) => !success);
    job.failed = shuffled(failed.map(([row, { errors }]) => ({ sf__Id: '', sf__Error: errorText(errors), ...row })));
    job.unprocessed = shuffled(rows.slice(processed.length));
    job.state = end?.state ?? 'JobComplete';
    job.errorMessage = end?.message;
  }

  private write(job: SalesforceJob, rows: readonly Csv[], record: RecordEffect): readonly RowResult[] {
    const { object, operation, externalIdFieldName: by = 'Id' } = job;
    const values = rows.map((row) => valuesOf(object, row));
    if (operation === 'upsert') return refuseTwins(by, values, (row) => this.store.upsert(object, by, row, record));
    return values.map((row) => {
      const { Id: id = '', ...others } = row;
      if (operation === 'insert') return this.store.create(object, row, record);
      return operation === 'delete' ? this.store.delete(object, String(id), record) : this.store.update(object, String(id), others, record);
    });
  }

  private results(job: SalesforceJob, part: string): FakeAnswer {
    const files: Readonly<Record<string, readonly Csv[]>> = {
      successfulResults: job.successful,
      failedResults: job.failed,
      unprocessedrecords: job.unprocessed,
    };
    const rows = files[part];
    if (rows === undefined || this.expired.has(job.id)) return error(404, 'NOT_FOUND', 'The requested resource does not exist');
    return { status: 200, body: csvOf(rows), headers: { 'content-type': 'text/csv; charset=UTF-8' } };
  }
}

const errorText = (errors: RowResult['errors']): string =>
  errors.map(({ statusCode, message, fields }) => `${statusCode}:${message}:${fields.join(',')} --`).join('');
