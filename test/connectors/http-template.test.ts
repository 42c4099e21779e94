import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Application, ApplicationRequest, Outcome, OutgoingRow } from '../../connectors/application.ts';
import { openApplication } from '../../connectors/template/application.ts';
import { templateSettings, type TemplateSettings } from '../../connectors/template/settings.ts';
import { ExactNumber, jsonText } from '../../schema/value.ts';
import { startFake, type Effect, type Fake, type FakeAnswer, type FakeRequest } from '../fakes/fake.ts';
import { describeApplication } from '../kits/application.ts';
import { outgoing } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';
import { testAttempt } from '../kits/source.ts';

const attempt = testAttempt();
type Fields = Readonly<Record<string, unknown>>;

/** An API that answers what a test says. */
async function startApi(answer: (request: FakeRequest) => FakeAnswer): Promise<Fake> {
  return await startFake({ name: 'api', handle: answer, throttled: () => ({ status: 429 }), records: () => new Map() });
}

const digest = (name: string, text: string): string => createHash(name).update(text).digest('hex');

const requestOf = (more: Partial<ApplicationRequest> = {}): ApplicationRequest => ({
  object: 'customers',
  match: ['email'],
  fields: ['score'],
  write: {},
  ...more,
});

/** Opens an object as a project file declares it. */
async function declare(
  url: string,
  customers: unknown,
  more: Partial<ApplicationRequest> = {},
  settings: object = {},
): Promise<Application> {
  const parsed = templateSettings.parse({ type: 'http', url, allow_private: true, objects: { customers }, ...settings });
  return await openApplication(parsed, 'loyalty', requestOf(more), memoryContext());
}

const upsert = { method: 'POST', path: '/customers', batch: 10, body: { items: '{{ rows }}' }, settles: 'upsert' };
const row = (no: number, more: Partial<OutgoingRow> = {}): OutgoingRow => ({
  ...outgoing(no, { match: { email: `${no}@x.org` }, fields: { score: no } }),
  ...more,
});
const sent = async (
  application: Application,
  rows: readonly OutgoingRow[],
  operation: 'upsert' | 'create' = 'upsert',
): Promise<readonly Outcome[]> => {
  const outcomes = await application.send({ operation, rows }, attempt);
  assert.ok(!('handle' in outcomes));
  return outcomes;
};
const statuses = (outcomes: readonly Outcome[]): readonly string[] => outcomes.map(({ status }) => status);

/** A small API of its own for the kit: batches with errors by index, and keys that are remembered. */
class Ledger {
  readonly name = 'ledger';
  private readonly customers = new Map<string, Fields>();
  private readonly keys = new Map<string, FakeAnswer>();
  records = (): ReadonlyMap<string, readonly Fields[]> => new Map([['customers', [...this.customers.values()]]]);
  throttled = (wait: number): FakeAnswer => ({
    status: 429,
    headers: { 'retry-after': String(Math.ceil(wait / 1000)) },
    body: { message: 'slow down' },
  });

  put(values: Fields): void {
    this.customers.set(String(values['email']), values);
  }
  get = (email: string): Fields | undefined => this.customers.get(email);

  handle(request: FakeRequest, record: (effect: Omit<Effect, 'at'>) => void): FakeAnswer {
    if (request.headers['x-api-key'] !== 'api-secret') return { status: 401, body: { message: 'no' } };
    if (request.path === '/ping') return { status: 200, body: {} };
    const email = decodeURIComponent(request.path.split('/')[2] ?? '');
    const effect = (operation: Effect['operation'], key: string, fields: Fields): void =>
      record({ operation, object: 'customers', id: key, key, fields });
    if (request.method === 'DELETE') {
      if (!this.customers.delete(email)) return { status: 404, body: { message: 'none' } };
      effect('delete', email, {});
      return { status: 204 };
    }
    if (request.path === '/orders') return this.once(request, (fields) => this.put(fields), effect);
    return this.batch(request.body as { items: Fields[] }, effect);
  }

  private batch({ items }: { items: Fields[] }, effect: (operation: Effect['operation'], key: string, fields: Fields) => void): FakeAnswer {
    if (items.length > 10) return { status: 400, body: { message: 'at most 10' } };
    const errors = items.flatMap((item, index) =>
      typeof item['score'] === 'number' ? [] : [{ index, error: { text: 'score must be a number', code: 17 } }],
    );
    for (const [index, item] of items.entries()) {
      if (errors.some((error) => error.index === index)) continue;
      const key = String(item['email']);
      effect(this.customers.has(key) ? 'update' : 'create', key, item);
      this.put(item);
    }
    return { status: 200, body: { results: items.map(({ email: id }) => ({ id })), errors } };
  }

  private once(
    request: FakeRequest,
    put: (fields: Fields) => void,
    effect: (operation: 'create', key: string, fields: Fields) => void,
  ): FakeAnswer {
    const key = request.headers['idempotency-key'] ?? '';
    const fields = request.body as Fields;
    const known = this.keys.get(key);
    if (known !== undefined) return known;
    put(fields);
    effect('create', String(fields['email']), fields);
    this.keys.set(key, { status: 201, body: { id: key } });
    return { status: 201, body: { id: key } };
  }
}

interface System extends AsyncDisposable {
  readonly vendor: Ledger;
  readonly fake: Fake;
}

const declared: TemplateSettings['objects'] = templateSettings.shape.objects.parse({
  customers: {
    operations: {
      upsert: {
        ...upsert,
        answers: { errors: { path: '$.errors[*]', match: { index: '$.index' }, reason: '$.error.text', code: '$.error.code' } },
      },
      delete: { method: 'DELETE', path: '/customers/{{ match.email }}', settles: 'upsert', answers: { acknowledged: [204, 404] } },
    },
  },
  orders: {
    operations: {
      create: {
        method: 'POST',
        path: '/orders',
        body: { '...': ['{{ match }}', '{{ fields }}'] },
        settles: 'idempotency-key',
        idempotency: { header: 'Idempotency-Key' },
        answers: { remote_id: '$.id' },
      },
    },
  },
});

for (const [object, operations, operation] of [
  ['customers', ['upsert', 'delete'], 'upsert'],
  ['orders', ['create'], 'create'],
] as const) {
  describeApplication<System>({
    name: `a declared API (${object})`,
    request: { object },
    start: async () => {
      const vendor = new Ledger();
      const fake = await startFake(vendor);
      return { vendor, fake, [Symbol.asyncDispose]: async () => await fake[Symbol.asyncDispose]() };
    },
    open: async ({ fake }, { request, context, wrongCredential }) => {
      const auth = { type: 'api-key', header: 'X-Api-Key', value: wrongCredential ? 'wrong-secret' : 'api-secret' } as const;
      const settings = { type: 'http', url: fake.url, auth, check: '/ping', allow_private: true, objects: declared } as const;
      return await openApplication(settings, 'loyalty', request, context);
    },
    secrets: ['api-secret', 'wrong-secret'],
    operations: [...operations],
    row: (no, version) => ({ match: { email: `${no}+tag@x.org` }, fields: { score: no * 10 + version, note: `n/${version}` } }),
    seed: ({ vendor }, rows) => rows.forEach(({ match, fields }) => vendor.put({ ...match, ...fields })),
    stored: ({ vendor }, { match }) => vendor.get(jsonText(match['email']).slice(1, -1)),
    ...(object === 'customers'
      ? { refused: { operation, row: (no: number) => ({ match: { email: `${no}@x.org` }, fields: { score: 'x', note: '' } }) } }
      : {}),
    createOfExisting: 'acknowledged',
    missing: { object: 'customer', nearest: 'customers' },
    capped: object === 'customers',
    http: {
      fake: ({ fake }) => (object === 'customers' ? fake : { ...fake, trouble: (trouble) => fake.trouble({ times: 2, ...trouble }) }),
      isWrite: ({ method }) => method !== 'GET',
      throttled: (wait) => new Ledger().throttled(wait),
      operation,
    },
  });
}

describe('a declared API', () => {
  const answered = async (
    operation: object,
    answer: (request: FakeRequest) => FakeAnswer,
    rows: readonly OutgoingRow[] = [row(1), row(2), row(3)],
  ): Promise<readonly Outcome[]> => {
    await using api = await startApi(answer);
    await using application = await declare(api.url, { operations: { upsert: { ...upsert, ...operation } } });
    return await sent(application, rows);
  };
  const body =
    (value: unknown): (() => FakeAnswer) =>
    () => ({ status: 200, body: value });

  it('that refuses its credential a batch of rows stops the sync, and halves nothing', async () => {
    await using api = await startApi(() => ({ status: 403, body: { message: 'no scope for customers' } }));
    await using application = await declare(api.url, { operations: { upsert } });
    await assert.rejects(sent(application, [row(1), row(2)]), { code: 'auth', message: /HTTP 403: no scope for customers/ });
  });

  it('keeps the types of values: exact numbers, objects, NULL, and leaves out what a row does not give', async () => {
    await using api = await startApi(() => ({ status: 200, body: {} }));
    await using application = await declare(
      api.url,
      {
        operations: {
          upsert: {
            ...upsert,
            row: {
              id: '{{ match.email }}',
              all: '{{ fields }}',
              text: 'score {{ fields.score }}',
              score: '{{ fields.score }}',
              doc: '{{ fields.doc | json }}',
            },
          },
        },
      },
      { fields: ['score', 'doc'] },
    );
    const exact = row(1, { fields: { score: new ExactNumber('12345678901234567890.5'), doc: { a: [1] } } });
    await sent(application, [exact, row(2, { fields: { score: null } }), row(3, { fields: {} })]);
    assert.equal(
      api.requests[0]?.text,
      '{"items":[{"id":"1@x.org","all":{"score":12345678901234567890.5,"doc":{"a":[1]}},"text":"score 12345678901234567890.5","score":12345678901234567890.5,"doc":"{\\"a\\":[1]}"},' +
        '{"id":"2@x.org","all":{"score":null},"text":"score ","score":null},{"id":"3@x.org","all":{},"text":"score "}]}',
    );
  });

  it('filters: lower, md5, sha256, url, nest, default', async () => {
    await using api = await startApi(() => ({ status: 200, body: {} }));
    const filters = { lower: 'lower', md5: 'lower | md5', sha256: 'sha256', url: 'url' };
    const texts = Object.fromEntries(Object.entries(filters).map(([name, chain]) => [name, `{{ match.email | ${chain} }}`]));
    const more = { nest: '{{ fields | nest }}', none: '{{ fields.none | default("-") }}', quoted: '{{ fields["a.b"] }}' };
    await using application = await declare(
      api.url,
      { operations: { upsert: { ...upsert, row: { ...texts, ...more } } } },
      { fields: ['a.b', 'a.c', 'd'] },
    );
    await sent(application, [row(1, { match: { email: 'A/b@X.org' }, fields: { 'a.b': 1, 'a.c': 2, d: 3 } })]);
    const body = api.requests[0]?.body as { items: unknown[] };
    assert.deepEqual(body.items[0], {
      lower: 'a/b@x.org',
      md5: digest('md5', 'a/b@x.org'),
      sha256: digest('sha256', 'A/b@X.org'),
      url: 'A%2Fb%40X.org',
      nest: { a: { b: 1, c: 2 }, d: 3 },
      none: '-',
      quoted: 1,
    });
  });

  it('errors by key: an entry may name several rows, upper and lower case apart or not', async () => {
    const errors = {
      path: '$.errors[*]',
      match: { key: '$.emails[*]', field: '{{ match.email }}', ignore_case: true },
      reason: '$.why',
      code: '$.code',
    };
    const outcomes = await answered(
      { answers: { errors } },
      body({ errors: [{ emails: ['1@X.org', '3@x.ORG'], why: 'no: 1@x.org', code: 'E1' }] }),
    );
    assert.deepEqual(statuses(outcomes), ['rejected', 'acknowledged', 'rejected']);
    assert.deepEqual(outcomes[0], { status: 'rejected', reason: 'no: …', code: 'E1' });
  });

  it('errors by place: a filtered list keeps the places of the whole one; numbers may count from one', async () => {
    const results = [{ ok: true }, { ok: false, why: 'bad' }, { ok: true }];
    const byPlace = { path: '$.results[?@.ok == false]', match: 'index', reason: '$.why' };
    assert.deepEqual(statuses(await answered({ answers: { errors: byPlace } }, body({ results }))), [
      'acknowledged',
      'rejected',
      'acknowledged',
    ]);
    const byNumber = { path: '$.failed[*]', match: { index: '$.line', first: 1 }, reason: '$.why' };
    assert.deepEqual(statuses(await answered({ answers: { errors: byNumber } }, body({ failed: [{ line: 3, why: 'bad' }] }))), [
      'acknowledged',
      'acknowledged',
      'rejected',
    ]);
  });

  it('codes of entries say what works later, and what is done already', async () => {
    const errors = { path: '$[*]', match: 'index', reason: '$.m', code: '$.c', again: [409], done: ['same'] };
    const outcomes = await answered(
      { answers: { errors } },
      body([
        { c: 409, m: 'locked' },
        { c: 'same', m: 'x' },
        { c: 'other', m: 'x' },
      ]),
    );
    assert.deepEqual(statuses(outcomes), ['again', 'acknowledged', 'rejected']);
  });

  it('what is named neither as taken nor as refused is unknown', async () => {
    const answers = { accepted: { path: '$.ok[*]', match: { key: '$.email', field: '{{ match.email }}' }, remote_id: '$.id' } };
    const outcomes = await answered({ answers }, body({ ok: [{ email: '2@x.org', id: 77 }] }));
    assert.deepEqual(statuses(outcomes), ['unknown', 'acknowledged', 'unknown']);
    assert.deepEqual(outcomes[1], { status: 'acknowledged', remoteId: '77' });
  });

  it('an error that fits no row is nobody’s success: the batch is halved, or nobody knows', async () => {
    const errors = { path: '$.errors[*]', match: { index: '$.at' }, reason: '$.m' };
    const stray = body({ errors: [{ at: 99, m: 'x' }] });
    await assert.rejects(answered({ answers: { errors } }, stray), { code: 'rejected' });
    assert.deepEqual(statuses(await answered({ answers: { errors } }, stray, [row(1)])), ['rejected']);
    assert.deepEqual(statuses(await answered({ settles: 'none', answers: { errors } }, stray)), ['unknown', 'unknown', 'unknown']);
  });

  it('200 with a refusal inside is a refusal', async () => {
    const answers = { success: { path: '$.ok' }, reason: '$.why', code: '$.code' };
    await assert.rejects(answered({ answers }, body({ ok: false, why: 'closed' })), { code: 'rejected', message: 'closed' });
    const [alone] = await answered({ answers }, body({ ok: false, why: 'closed', code: 'C' }), [row(1)]);
    assert.deepEqual(alone, { status: 'rejected', reason: 'closed', code: 'C' });
    assert.deepEqual(statuses(await answered({ answers }, body({ ok: true }))), ['acknowledged', 'acknowledged', 'acknowledged']);
  });

  it('statuses that pass are sent again after the declared time', async () => {
    const [first] = await answered({ answers: { again: { statuses: [423], after: '3s' } } }, () => ({
      status: 423,
      body: { message: 'locked' },
    }));
    assert.deepEqual(first, { status: 'again', reason: 'locked', after: 3000 });
  });

  it('the idempotency key is the same for every attempt, and another for other values', async () => {
    await using api = await startApi(() => ({ status: 201, body: { id: 'x' } }));
    const create = { method: 'POST', path: '/orders', settles: 'idempotency-key', idempotency: { header: 'Idempotency-Key' } };
    const rows = [row(1, { idempotencyKey: 'a' }), row(1, { idempotencyKey: 'a' }), row(1, { idempotencyKey: 'b' })];
    for (const each of rows) {
      await using application = await declare(api.url, { operations: { create } });
      await sent(application, [each], 'create');
    }
    assert.deepEqual(
      api.requests.map(({ headers }) => headers['idempotency-key']),
      ['a', 'a', 'b'],
    );
  });

  it('looks up one row a request, or several by what they hold', async () => {
    const one = { method: 'GET', path: '/customers/{{ match.email }}', id: '$.id' };
    const many = {
      method: 'POST',
      path: '/search',
      batch: 2,
      row: '{{ match.email }}',
      body: { in: '{{ rows }}' },
      items: '$.found[*]',
      match: { key: '$.mail', field: '{{ match.email }}' },
      id: '$.id',
    };
    for (const [find, requests] of [
      [one, 3],
      [many, 2],
    ] as const) {
      await using api = await startApi(({ method, path, body: asked }) => {
        if (method === 'GET') return path === '/customers/2%40x.org' ? { status: 200, body: { id: 22 } } : { status: 404, body: {} };
        const list = (asked as { in: string[] }).in.filter((mail) => mail === '2@x.org');
        return { status: 200, body: { found: list.map((mail) => ({ mail, id: 22 })) } };
      });
      await using application = await declare(api.url, { find, operations: { create: { ...upsert, settles: 'lookup' } } });
      assert.deepEqual(await application.find?.([row(1), row(2), row(3)], attempt), [undefined, '22', undefined]);
      assert.equal(api.requests.length, requests);
    }
  });

  it('sends a form where the API wants one, with every value encoded', async () => {
    await using api = await startApi(() => ({ status: 200, body: 'OK' }));
    const update = {
      method: 'POST',
      path: '/f',
      form: { email: '{{ match.email }}', score: '{{ fields.score }}' },
      settles: 'upsert',
      answers: { text: true },
    };
    await using application = await declare(api.url, { operations: { upsert: update } });
    await sent(application, [row(1, { match: { email: 'a&b=c@x.org' } })]);
    assert.equal(api.requests[0]?.text, 'email=a%26b%3Dc%40x.org&score=1');
    assert.match(api.requests[0]?.headers['content-type'] ?? '', /x-www-form-urlencoded/);
  });
});
