import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import type { FakeAnswer, FakeRequest, Vendor } from './fake.ts';
import { SalesforceJobs } from './salesforce-jobs.ts';
import { describeAnswer, salesforceObjects } from './salesforce-objects.ts';
import { refuseTwins, SalesforceStore, textOf, type RecordEffect, type RowResult, type Values } from './salesforce-store.ts';

const error = (status: number, errorCode: string, message: string): FakeAnswer => ({ status, body: [{ message, errorCode }] });
const collectionRows = 200;
const queryPage = 2_000;

/** Credentials that the fake takes. */
export const salesforceApp = {
  clientId: 'consumer-key',
  clientSecret: 'consumer-secret-8f2a',
  refreshToken: 'first-refresh-token-77',
  user: 'integration@acme.test',
} as const;

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** The key that a JWT must be signed with, as PEM. */
export const salesforceKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const publicKey: KeyObject = createPublicKey(keys.privateKey);

/**
 * A Salesforce org: OAuth tokens (client credentials, refresh tokens that are good once, JWT), describe, queries of ids, sObject Collections of
 * 200 rows with a result for each in order, and jobs of the Bulk API 2.0 whose effects come with their end.
 */
export class Salesforce implements Vendor {
  readonly name = 'salesforce';
  readonly store = new SalesforceStore();
  readonly jobs = new SalesforceJobs(this.store);
  /** Requests that the org has left for the day. */
  dailyLeft = 100_000;
  /** The refresh token that is good now. */
  refreshToken: string = salesforceApp.refreshToken;
  private readonly sessions = new Set<string>();
  private tokens = 0;

  records(): ReturnType<Vendor['records']> {
    return this.store.records();
  }

  throttled(wait: number): FakeAnswer {
    const { status, body } = error(403, 'REQUEST_LIMIT_EXCEEDED', 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.');
    return { status, body, headers: { 'retry-after': String(Math.ceil(wait / 1000)) } };
  }

  headers(): Readonly<Record<string, string>> {
    return { 'sforce-limit-info': `api-usage=${100_000 - this.dailyLeft}/100000` };
  }

  /** Ends all sessions, as an administrator or time would. */
  endSessions(): void {
    this.sessions.clear();
  }

  handle(request: FakeRequest, record: RecordEffect): FakeAnswer {
    if (request.path === '/services/oauth2/token') return this.token(request);
    const session = /^Bearer (.+)$/.exec(request.headers['authorization'] ?? '')?.[1] ?? '';
    if (!this.sessions.has(session)) return error(401, 'INVALID_SESSION_ID', 'Session expired or invalid');
    if (this.dailyLeft <= 0) return error(403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.');
    this.dailyLeft -= 1;
    return this.route(request, /^\/services\/data\/v\d+\.0\/(.*)$/.exec(request.path)?.[1] ?? '', record);
  }

  private route(request: FakeRequest, path: string, record: RecordEffect): FakeAnswer {
    if (path.startsWith('jobs/ingest')) return this.jobs.handle(request, path.slice('jobs/ingest'.length), record);
    if (path === 'composite/sobjects' || path.startsWith('composite/sobjects/')) return this.collection(request, path, record);
    return request.method === 'GET' ? this.read(path, request) : error(405, 'METHOD_NOT_ALLOWED', `${request.method} is not allowed`);
  }

  private token(request: FakeRequest): FakeAnswer {
    const form = new URLSearchParams(request.text);
    const given = Object.fromEntries(form) as Record<string, string | undefined>;
    const refusal = (message: string): FakeAnswer => ({ status: 400, body: { error: 'invalid_grant', error_description: message } });
    const grant = given['grant_type'];
    if (grant === 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
      return this.isAssertion(given['assertion'] ?? '') ? this.session({}) : refusal('invalid assertion');
    }
    if (given['client_id'] !== salesforceApp.clientId || given['client_secret'] !== salesforceApp.clientSecret) {
      return { status: 401, body: { error: 'invalid_client', error_description: 'invalid client credentials' } };
    }
    if (grant === 'client_credentials') return this.session({});
    if (grant !== 'refresh_token' || given['refresh_token'] !== this.refreshToken) return refusal('expired access/refresh token');
    this.refreshToken = `refresh-token-${this.tokens + 1}`;
    return this.session({ refresh_token: this.refreshToken });
  }

  private session(more: object): FakeAnswer {
    this.tokens += 1;
    const token = `session-${this.tokens}`;
    this.sessions.add(token);
    return { status: 200, body: { access_token: token, token_type: 'Bearer', issued_at: String(Date.now()), ...more } };
  }

  private isAssertion(assertion: string): boolean {
    const [head = '', claims = '', signature = ''] = assertion.split('.');
    if (!verify('sha256', Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))) return false;
    const { iss, sub, aud, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as Record<string, string | number>;
    const isAudience = /^https:\/\/(login|test)\.salesforce\.com$/.test(String(aud));
    return iss === salesforceApp.clientId && sub === salesforceApp.user && isAudience && Number(exp) > Date.now() / 1000;
  }

  private read(path: string, request: FakeRequest): FakeAnswer {
    if (path === 'sobjects') {
      const sobjects = [
        ...Object.keys(salesforceObjects).map((name) => ({ name, createable: true })),
        { name: 'AccountHistory', createable: false },
      ];
      return { status: 200, body: { encoding: 'UTF-8', maxBatchSize: 200, sobjects } };
    }
    const object = /^sobjects\/(\w+)\/describe$/.exec(path)?.[1];
    if (object !== undefined && salesforceObjects[object] !== undefined) return { status: 200, body: describeAnswer(object) };
    if (path === 'query') return this.query(request.query.get('q') ?? '', 0);
    const [, soql, from] = /^query\/(.+)-(\d+)$/.exec(path) ?? [];
    if (soql !== undefined) return this.query(Buffer.from(soql, 'base64url').toString('utf8'), Number(from));
    return error(404, 'NOT_FOUND', 'The requested resource does not exist');
  }

  private query(soql: string, from: number): FakeAnswer {
    const asked = parseQuery(soql);
    if ('status' in asked) return asked;
    const { object, by, wanted, columns } = asked;
    const found = [...this.store.of(object).values()].filter((record) => wanted.has(textOf(record[by]).toLowerCase()));
    const records = found.slice(from, from + queryPage).map((record) => ({
      attributes: { type: object },
      ...Object.fromEntries(columns.map((name) => [name, record[name] ?? null])),
    }));
    const next = from + queryPage;
    const more =
      next < found.length ? { nextRecordsUrl: `/services/data/v62.0/query/${Buffer.from(soql).toString('base64url')}-${next}` } : {};
    return { status: 200, body: { totalSize: found.length, done: next >= found.length, records, ...more } };
  }

  private collection(request: FakeRequest, path: string, record: RecordEffect): FakeAnswer {
    if (request.method === 'DELETE') return this.deleteEach(request.query.get('ids')?.split(',') ?? [], record);
    const { records = [] } = (request.body ?? {}) as { records?: readonly Values[] };
    const wrong = countProblem(records.length);
    if (wrong !== undefined) return wrong;
    const refusal = records.map(refusalOf).find((found) => found !== undefined);
    if (refusal !== undefined) return refusal;
    const [object = '', by] = path.split('/').slice(2);
    return by === undefined ? this.writeEach(request, records, record) : this.upsert(object, by, records, record);
  }

  private deleteEach(ids: readonly string[], record: RecordEffect): FakeAnswer {
    const object = (id: string): string => (id.startsWith('001') ? 'Account' : 'Health_Score__c');
    return countProblem(ids.length) ?? { status: 200, body: ids.map((id) => this.store.delete(object(id), id, record)) };
  }

  private upsert(object: string, by: string, records: readonly Values[], record: RecordEffect): FakeAnswer {
    if (salesforceObjects[object]?.find(({ name }) => name === by)?.externalId !== true) {
      return error(404, 'NOT_FOUND', 'Provided external ID field does not exist or is not accessible');
    }
    const write = (row: Values): RowResult => this.store.upsert(object, by, without(row), record);
    return { status: 200, body: refuseTwins(by, records, write) };
  }

  private writeEach(request: FakeRequest, records: readonly Values[], record: RecordEffect): FakeAnswer {
    const write = (row: Values): RowResult => {
      const { id = '', ...fields } = without(row);
      const object = objectOf(row);
      return request.method === 'POST' ? this.store.create(object, fields, record) : this.store.update(object, String(id), fields, record);
    };
    return { status: 200, body: records.map(write) };
  }
}

interface AskedQuery {
  readonly object: string;
  readonly by: string;
  readonly wanted: ReadonlySet<string>;
  readonly columns: readonly string[];
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r' };

/** `SELECT Id[, field] FROM object WHERE field IN (…)` */
function parseQuery(soql: string): AskedQuery | FakeAnswer {
  if (encodeURIComponent(soql).length > 16_000) return { status: 414, body: 'URI Too Long' };
  const parts = /^SELECT ([\w, ]+) FROM (\w+) WHERE (\w+) IN \(([^]*)\)$/.exec(soql);
  if (parts === null) return error(400, 'MALFORMED_QUERY', 'unexpected token');
  const [columns, object, by, list] = parts.slice(1) as [string, string, string, string];
  const field = salesforceObjects[object]?.find(({ name }) => name === by);
  if (field === undefined) return error(400, 'INVALID_FIELD', `No such column '${by}' on entity '${object}'`);
  const literals = [...list.matchAll(/'((?:[^'\\]|\\.)*)'|([^',\s]+)/g)];
  if (literals.some(([, text]) => (text === undefined) !== (field.type === 'double'))) {
    return error(400, 'INVALID_FIELD', `value of filter criterion for field '${by}' must be of another type`);
  }
  const values = literals.map(
    ([, text, bare = '']) => text?.replaceAll(/\\(.)/g, (_, one: string) => escapes[one] ?? one) ?? String(Number(bare)),
  );
  return {
    object,
    by,
    wanted: new Set(values.map((value) => value.toLowerCase())),
    columns: columns.split(',').map((name) => name.trim()),
  };
}

function countProblem(count: number): FakeAnswer | undefined {
  if (count === 0) return error(400, 'INVALID_INPUT', 'records is missing');
  if (count <= collectionRows) return undefined;
  return error(400, 'EXCEEDED_ID_LIMIT', `record limit reached. cannot submit more than ${collectionRows} records`);
}

const objectOf = (row: Values): string => (row['attributes'] as { type?: string } | undefined)?.type ?? '';
const without = (row: Values): Values => Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'attributes'));

const jsonTypes: Readonly<Record<string, string>> = { double: 'number', currency: 'number', boolean: 'boolean' };

/** A value of the wrong type or a field that isn't there refuses the whole request. */
function refusalOf(row: Values): FakeAnswer | undefined {
  const object = objectOf(row);
  const fields = salesforceObjects[object];
  if (fields === undefined) return error(400, 'INVALID_TYPE', `sObject type '${object}' is not supported.`);
  for (const [name, value] of Object.entries(without(row))) {
    if (name === 'id' || fields.some(({ reference }) => reference?.as === name)) continue;
    const field = fields.find((one) => one.name === name);
    if (field === undefined) return error(400, 'INVALID_FIELD', `No such column '${name}' on sobject of type ${object}`);
    const { type = 'string' } = field;
    const isRight = value === null || typeof value === (jsonTypes[type] ?? 'string');
    if (!isRight) return error(400, 'JSON_PARSER_ERROR', `Cannot deserialize instance of ${type} from ${typeof value} value`);
  }
  return undefined;
}
