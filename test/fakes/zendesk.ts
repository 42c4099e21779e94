import type { Effect, FakeAnswer, FakeRequest, Vendor } from './fake.ts';
import { type JobResult, ZendeskJobs } from './zendesk-jobs.ts';

type Fields = Record<string, unknown>;
type RecordEffect = (effect: Omit<Effect, 'at'>) => void;
type Kind = 'users' | 'organizations';

/** A custom field of users or organizations, as `user_fields.json` has it. */
export interface ZendeskField {
  readonly key: string;
  readonly type: string;
  readonly active?: boolean;
  /** Tags of a drop-down's options. */
  readonly options?: readonly string[];
}

export interface ZendeskOptions {
  readonly email?: string;
  readonly token?: string;
  /** False: `create_many` and `create_or_update_many` of users are answered with 403. */
  readonly bulkImport?: boolean;
  readonly userFields?: readonly ZendeskField[];
  readonly organizationFields?: readonly ZendeskField[];
}

const singular = { users: 'user', organizations: 'organization' } as const;
const failure = (error: string, description: string): Fields => ({ error, description });
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const lower = (value: unknown): string => String(value).toLowerCase();
const list = (text: string | null): readonly string[] => (text === null || text === '' ? [] : text.split(','));

/** A Zendesk Support account: users and organizations, written by jobs. */
export class Zendesk implements Vendor {
  readonly name = 'zendesk';
  readonly email: string;
  readonly token: string;
  readonly jobs = new ZendeskJobs();
  /** External ids, e-mail addresses or names whose next writes fail with a conflict: how many times. */
  readonly conflicts = new Map<string, number>();
  bulkImport: boolean;
  private readonly options: ZendeskOptions;
  private readonly objects = { users: new Map<number, Fields>(), organizations: new Map<number, Fields>() };
  private readonly index = new Map<string, number>();
  private last = 900_000_000_000;

  constructor(options: ZendeskOptions = {}) {
    this.options = options;
    this.email = options.email ?? 'agent@example.com';
    this.token = options.token ?? 'zendesk-token';
    this.bulkImport = options.bulkImport ?? true;
  }

  records(): ReadonlyMap<string, readonly Fields[]> {
    const alive = (kind: Kind): readonly Fields[] => [...this.objects[kind].values()].filter((object) => object['active'] !== false);
    return new Map([
      ['users', alive('users')],
      ['organizations', alive('organizations')],
    ]);
  }

  throttled(wait: number): FakeAnswer {
    const seconds = String(Math.ceil(wait / 1000));
    return {
      status: 429,
      body: failure('APIRateLimitExceeded', 'Number of allowed API requests per minute exceeded'),
      headers: { 'retry-after': seconds, 'ratelimit-limit': '400', 'ratelimit-remaining': '0', 'ratelimit-reset': seconds },
    };
  }

  handle(request: FakeRequest, record: RecordEffect): FakeAnswer {
    if (!this.isAuthentic(request)) return { status: 401, body: { error: "Couldn't authenticate you" } };
    const path = request.path.replace(/^\/api\/v2\//, '').replace(/\.json$/, '');
    if (path === 'users/me') return { status: 200, body: { user: { id: 1, email: this.email, role: 'admin' } } };
    if (path === 'job_statuses/show_many') {
      return { status: 200, body: { job_statuses: this.jobs.show(list(request.query.get('ids'))) } };
    }
    if (path === 'user_fields') return { status: 200, body: { user_fields: this.fields(this.options.userFields), next_page: null } };
    if (path === 'organization_fields') {
      return { status: 200, body: { organization_fields: this.fields(this.options.organizationFields), next_page: null } };
    }
    const [kind, verb] = path.split('/');
    if ((kind !== 'users' && kind !== 'organizations') || verb === undefined) return notFound;
    return this.route(kind, `${request.method} ${verb}`, request, record);
  }

  /** An object made by somebody else. */
  add(kind: Kind, fields: Fields): number {
    return this.put(kind, undefined, fields);
  }

  private isAuthentic({ headers }: FakeRequest): boolean {
    const basic = `Basic ${Buffer.from(`${this.email}/token:${this.token}`).toString('base64')}`;
    return headers['authorization'] === basic || headers['authorization'] === `Bearer ${this.token}`;
  }

  private fields(fields: readonly ZendeskField[] = []): readonly Fields[] {
    return fields.map(({ key, type, active = true, options }, id) => ({
      id,
      key,
      type,
      active,
      title: key,
      ...(options === undefined ? {} : { custom_field_options: options.map((value) => ({ name: value, value })) }),
    }));
  }

  private route(kind: Kind, route: string, request: FakeRequest, record: RecordEffect): FakeAnswer {
    if (route === 'GET show_many') return this.show(kind, request);
    if (route === 'GET search') return this.search(kind, request);
    if (route === 'DELETE destroy_many') {
      const ids = list(request.query.get('ids'));
      return this.start('destroy', kind, ids, (id) => this.destroy(kind, Number(id), record));
    }
    return this.bulk(kind, route, (request.body as Fields | undefined)?.[kind], record);
  }

  private bulk(kind: Kind, route: string, items: unknown, record: RecordEffect): FakeAnswer {
    if (!Array.isArray(items)) return { status: 400, body: failure('InvalidRequest', `'${kind}' must be an array`) };
    const rows = items as readonly Fields[];
    if (route === 'PUT update_many') return this.start('update', kind, rows, (row, index) => this.update(kind, row, index, record));
    const updates = route === 'POST create_or_update_many' && kind === 'users';
    if (!updates && route !== 'POST create_many') return notFound;
    if (kind === 'users' && !this.bulkImport) {
      return { status: 403, body: { error: 'Forbidden', message: 'Data imports are not enabled' } };
    }
    return this.start('create', kind, rows, (row, index) => this.create(kind, row, index, updates, record));
  }

  private start<Row>(type: string, kind: Kind, rows: readonly Row[], work: (row: Row, index: number) => JobResult): FakeAnswer {
    if (rows.length > 100) return { status: 400, body: failure('TooManyObjects', 'At most 100 objects are allowed in a request') };
    const job = this.jobs.submit(`Bulk ${type} ${singular[kind]}`, rows.length, () => rows.map(work));
    if (job !== undefined) return { status: 200, body: { job_status: job } };
    return { status: 429, body: failure('TooManyJobs', 'Too many jobs are queued or running') };
  }

  private find(kind: Kind, field: string, value: unknown): number | undefined {
    if (value === undefined || value === null) return undefined;
    const id = this.index.get(`${kind} ${field} ${lower(value)}`);
    const object = id === undefined ? undefined : this.objects[kind].get(id);
    return object !== undefined && object['active'] !== false && lower(object[field]) === lower(value) ? id : undefined;
  }

  private put(kind: Kind, found: number | undefined, fields: Fields): number {
    this.last += 1;
    const id = found ?? this.last;
    const object = this.objects[kind].get(id) ?? { id, active: true, tags: [] };
    const custom = `${singular[kind]}_fields`;
    Object.assign(object, fields, { id, [custom]: { ...(object[custom] as Fields), ...(fields[custom] as Fields) } });
    this.objects[kind].set(id, object);
    for (const field of ['external_id', 'email', 'name']) {
      if (typeof object[field] === 'string') this.index.set(`${kind} ${field} ${lower(object[field])}`, id);
    }
    return id;
  }

  private conflict(row: Fields): boolean {
    const name = ['external_id', 'email', 'name'].map((field) => String(row[field])).find((value) => (this.conflicts.get(value) ?? 0) > 0);
    if (name !== undefined) this.conflicts.set(name, (this.conflicts.get(name) ?? 0) - 1);
    return name !== undefined;
  }

  /** Why a write is refused; undefined when it isn't. */
  private refusal(kind: Kind, id: number | undefined, row: Fields): Fields | undefined {
    if (this.conflict(row)) return { error: 'DatabaseConflict', details: 'Database collision' };
    const email = textOf(row['email']) ?? 'a@b';
    const taken = (field: string): boolean => (this.find(kind, field, row[field]) ?? id) !== id;
    const rules: readonly (readonly [boolean, string])[] = [
      [id === undefined && (textOf(row['name']) ?? '') === '', 'Name: is too short (minimum 1 characters)'],
      [!/^[^@\s]+@[^@\s]+$/.test(email), `Email: ${email} is not properly formatted`],
      [kind === 'users' && taken('email'), `Email: ${email} is already being used by another user`],
      [kind === 'organizations' && taken('name'), 'Name: has already been taken'],
      [taken('external_id'), 'External: has already been taken'],
    ];
    const broken = rules.find(([isBroken]) => isBroken);
    return broken === undefined ? undefined : { error: 'RecordInvalid', details: broken[1] };
  }

  private create(kind: Kind, row: Fields, index: number, updates: boolean, record: RecordEffect): JobResult {
    const found = updates ? (this.find(kind, 'external_id', row['external_id']) ?? this.find(kind, 'email', row['email'])) : undefined;
    return this.write(kind, found, row, index, record);
  }

  private update(kind: Kind, row: Fields, index: number, record: RecordEffect): JobResult {
    const id = this.objects[kind].get(Number(row['id']))?.['active'] === true ? Number(row['id']) : undefined;
    if (id === undefined) return { index, id: row['id'], error: 'RecordNotFound', details: 'Not found', success: false, status: 'Failed' };
    return this.write(kind, id, row, index, record);
  }

  private write(kind: Kind, found: number | undefined, row: Fields, index: number, record: RecordEffect): JobResult {
    const refusal = this.refusal(kind, found, row);
    if (refusal !== undefined) return { index, id: index, ...refusal, success: false, status: 'Failed' };
    const id = this.put(kind, found, row);
    const object = this.objects[kind].get(id);
    const operation = found === undefined ? 'create' : 'update';
    const key = String(object?.['external_id'] ?? object?.['email'] ?? object?.['name']);
    record({ operation, object: kind, id: String(id), key, fields: row });
    return { index, id, action: operation, status: found === undefined ? 'Created' : 'Updated', success: true };
  }

  private destroy(kind: Kind, id: number, record: RecordEffect): JobResult {
    const object = this.objects[kind].get(id);
    if (object?.['active'] !== true) return { id, error: 'RecordNotFound', details: 'Not found', success: false, status: 'Failed' };
    if (kind === 'users') object['active'] = false;
    else this.objects[kind].delete(id);
    const key = String(object['external_id'] ?? object['email'] ?? object['name']);
    record({ operation: 'delete', object: kind, id: String(id), key, fields: {} });
    return { id, action: 'delete', status: 'Deleted', success: true };
  }

  private show(kind: Kind, { query }: FakeRequest): FakeAnswer {
    const ids = list(query.get('ids')).map(Number);
    const found = list(query.get('external_ids')).map((external) => this.find(kind, 'external_id', external));
    if (ids.length > 100 || found.length > 100) return { status: 400, body: failure('TooManyValues', 'At most 100 ids are allowed') };
    const objects = [...ids, ...found].flatMap((id) => (id === undefined ? [] : (this.objects[kind].get(id) ?? [])));
    return { status: 200, body: { [kind]: objects, count: objects.length, next_page: null } };
  }

  private search(kind: Kind, { query }: FakeRequest): FakeAnswer {
    const emails = [...(query.get('query') ?? '').matchAll(/email:"?([^\s"]+)"?/g)].map((match) => this.find(kind, 'email', match[1]));
    const ids = [...emails, this.find(kind, 'external_id', query.get('external_id'))];
    const objects = ids.flatMap((id) => (id === undefined ? [] : (this.objects[kind].get(id) ?? [])));
    return { status: 200, body: { [kind]: objects.slice(0, 100), count: objects.length, next_page: null } };
  }
}

const notFound: FakeAnswer = { status: 404, body: failure('InvalidEndpoint', 'Not found') };
