import assert from 'node:assert/strict';
import type { Application, ApplicationRequest, OutgoingRow } from '../../connectors/application.ts';
import { openApplication } from '../../connectors/template/application.ts';
import { eachRow } from '../../connectors/template/each-row.ts';
import { parseText } from '../../connectors/template/placeholder.ts';
import { compileJson, compilePath } from '../../connectors/template/render.ts';
import { templateSettings } from '../../connectors/template/settings.ts';
import { MillraceError } from '../../schema/errors.ts';
import { startFake, type Fake } from '../fakes/fake.ts';
import { outgoing } from '../kits/application-case.ts';
import { memoryContext } from '../kits/memory-stores.ts';
import { testAttempt } from '../kits/source.ts';

const attempt = testAttempt();
const row = (no: number, more: Partial<OutgoingRow> = {}): OutgoingRow => ({
  ...outgoing(no, { match: { email: `${no}@x.org` }, fields: { score: no } }),
  ...more,
});

async function startApi(): Promise<Fake> {
  return await startFake({
    name: 'api',
    handle: () => ({ status: 200, body: {} }),
    throttled: () => ({ status: 429 }),
    records: () => new Map(),
  });
}

const post = { method: 'POST', path: '/c', body: '{{ fields }}', settles: 'upsert' };

async function open(url: string, customers: unknown, more: Partial<ApplicationRequest> = {}): Promise<Application> {
  const settings = templateSettings.parse({ type: 'http', url, allow_private: true, objects: { customers } });
  return await openApplication(
    settings,
    'loyalty',
    { object: 'customers', match: ['email'], fields: ['score'], write: {}, ...more },
    memoryContext(),
  );
}

describe('the placeholders of a declared API', () => {
  it('are names and filters only: nothing in them is run', () => {
    const attacks = [
      "{{constructor.constructor('return process')()}}",
      '{{ match.email.toString() }}',
      '{{ process.exit(1) }}()',
      '{{ 7 * 7 }}',
      '{{ match["a" + "b"] }}',
      '{{ match[email] }}',
      "{{ match['email'] }}",
      '{{ match.email | constructor }}',
      '{{ match.email | lower(1) }}',
      '{{ match.email | default }}',
      '{{ match.email | default(process) }}',
      '{{ match.email | default(["a"]) }}',
      '{{ match.email || 1 }}',
      '{{ match..email }}',
      '{{}}',
      '{{ {{ match.email }} }}',
      '{{ match.email',
      'match.email }}',
      '${match.email} {{',
      '{{ `x` }}',
      '{% for x in y %}{{ x }',
      'x'.repeat(10_001),
    ];
    for (const attack of attacks) assert.throws(() => parseText(attack), Error, attack.slice(0, 50));
  });

  it('see own members only, and pollute nothing', () => {
    const own = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": "own", "a": 1}') as Record<string, never>;
    const values = (text: string): unknown => compileJson(text)({ fields: own, match: { a: 1 } });
    assert.equal(values('{{ match.constructor }}'), undefined);
    assert.equal(values('{{ match.__proto__ }}'), undefined);
    assert.equal(values('{{ match["__proto__"]["polluted"] }}'), undefined);
    assert.equal(values('{{ constructor }}'), undefined);
    assert.equal(values('{{ match.a.toFixed }}'), undefined);
    assert.equal(values('{{ fields.constructor }}'), 'own');
    const filled = compileJson({ '...': '{{ fields | nest }}', '__proto__.x': '{{ match }}' })({ fields: own, match: { a: 1 } });
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    assert.equal(Object.getPrototypeOf(filled), Object.prototype);
  });

  it('values are never read as placeholders', () => {
    const text = '{{ match.email | md5 }}';
    assert.deepEqual(compileJson({ a: '{{ fields.a }}', b: 'x {{ fields.a }}' })({ fields: { a: text } }), { a: text, b: `x ${text}` });
  });

  it('values in a path stay one part of it, and never lead elsewhere', () => {
    const path = compilePath('/customers/{{ match.email }}/tags');
    const fill = (email: string | null): string => path({ match: { email } });
    assert.equal(fill('a/../../admin?x=1#y'), '/customers/a%2F..%2F..%2Fadmin%3Fx%3D1%23y/tags');
    assert.equal(fill('https://evil.example'), '/customers/https%3A%2F%2Fevil.example/tags');
    for (const bad of ['..', '.', '', null]) assert.throws(() => fill(bad), { code: 'rejected' }, String(bad));
    for (const encoded of ['%2e%2e', '%2E', '.%2e']) assert.equal(fill(encoded), `/customers/${encodeURIComponent(encoded)}/tags`);
    assert.throws(() => compilePath('/{{ match.a }}{{ match.b }}/x')({ match: { a: '.', b: '.' } }), { code: 'rejected' });
    assert.equal(compilePath('/{{ match.a | url }}')({ match: { a: 'a/b' } }), '/a%2Fb');
  });

  it('a value can not end a header or begin another', async () => {
    await using api = await startApi();
    await using application = await open(api.url, { operations: { upsert: { ...post, headers: { 'x-email': '{{ match.email }}' } } } });
    const rows = [row(1, { match: { email: 'a\r\nx-admin: 1' } })];
    await assert.rejects(application.send({ operation: 'upsert', rows }, attempt), { code: 'rejected' });
    assert.equal(api.requests.length, 0);
  });

  it('hostile texts take no time', () => {
    const started = performance.now();
    for (const text of [
      '{{'.repeat(5_000),
      `{{ a${'.b'.repeat(4_000)} | }}`,
      `{{ a${' '.repeat(9_000)}! }}`,
      `{{ a${'["'.repeat(4_000)} }}`,
    ]) {
      try {
        parseText(text);
      } catch {
        // refused, as it should be
      }
    }
    assert.ok(performance.now() - started < 3_000, String(performance.now() - started));
  });
});

describe('the declaration of an API', () => {
  const issues = (customers: unknown): string => {
    const parsed = templateSettings.safeParse({ type: 'http', url: 'https://api.example.com', objects: { customers } });
    return parsed.success ? '' : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  };

  it('is refused with the object, the operation and the place of the mistake', () => {
    const operation = (more: object): unknown => ({ operations: { upsert: { ...post, ...more } } });
    assert.match(
      issues(operation({ body: { a: ['{{ match.x | upper }}'] } })),
      /objects\.customers\.operations\.upsert\.body\.a\.0: there is no filter "upper"; there are lower/,
    );
    assert.match(issues(operation({ path: '/{{ x' })), /upsert\.path: \{\{ and \}\} belong together/);
    assert.match(issues(operation({ answers: { reason: '$.a[' } })), /upsert\.answers\.reason: must be a JSONPath/);
    assert.match(issues(operation({ settles: 'maybe' })), /upsert\.settles/);
    assert.match(issues(operation({ bathc: 3 })), /upsert: .*bathc/);
    assert.match(issues({ operations: { put: post } }), /customers\.operations/);
    assert.equal(issues(operation({})), '');
  });

  it('takes no path that is a program', () => {
    for (const path of [
      '$..[?(process.exit())]',
      '$[(@.length-1)]',
      '$[?(@.constructor.constructor("return 1")())]',
      'this.constructor',
      '$[?@.a == eval("1")]',
    ]) {
      assert.match(issues({ operations: { upsert: { ...post, answers: { reason: path } } } }), /must be a JSONPath/, path);
    }
  });

  const refusals: readonly (readonly [string, unknown, Partial<ApplicationRequest>, RegExp])[] = [
    [
      'a field that is not mapped',
      { operations: { upsert: { ...post, body: '{{ fields.plan }}' } } },
      {},
      /operation upsert: \{\{ fields\.plan \}\} has no value: there are score; map it/,
    ],
    [
      'a match that is not there',
      { operations: { upsert: { ...post, path: '/{{ match.id }}' } } },
      {},
      /operation upsert: \{\{ match\.id \}\} has no value: there are email/,
    ],
    [
      'a root that is not there',
      { operations: { upsert: { ...post, body: '{{ row.x }}' } } },
      {},
      /\{\{ row\.x \}\} means nothing here; there are object/,
    ],
    ['rows outside a batch', { operations: { upsert: { ...post, body: '{{ rows }}' } } }, {}, /\{\{ rows \}\} means nothing here/],
    ['one row inside a batch', { operations: { upsert: { ...post, batch: 5 } } }, {}, /\{\{ fields \}\} means nothing here/],
    ['a look-up that is not declared', { operations: { create: { ...post, settles: 'lookup' } } }, {}, /operation create: .*need a find/],
    [
      'a key that a batch does not carry',
      { operations: { create: { ...post, batch: 5, body: '{{ rows }}', settles: 'idempotency-key', idempotency: { header: 'x' } } } },
      {},
      /operation create: .*needs \{\{ idempotency_key \}\} in each row/,
    ],
    ['another match than it takes', { match: ['id'], operations: { upsert: post } }, {}, /matched by id, not by email/],
    ['an option that is not there', { operations: { upsert: post } }, { write: { x: 1 } }, /write\.x is not an option; there are none/],
  ];
  for (const [what, customers, more, sentence] of refusals) {
    it(`names ${what} before anything is sent`, async () => {
      await using api = await startApi();
      await assert.rejects(open(api.url, customers, more), (error: unknown) => {
        assert.ok(error instanceof MillraceError && error.code === 'config');
        assert.match(error.message, sentence);
        return true;
      });
      assert.equal(api.requests.length, 0);
    });
  }

  it('what a sync never sends may ask for fields that it does not have', async () => {
    await using api = await startApi();
    const operations = { upsert: post, delete: { ...post, body: '{{ fields.plan }}' } };
    await using application = await open(api.url, { operations }, { operations: ['upsert'] });
    await application.send({ operation: 'upsert', rows: [row(1)] }, attempt);
    assert.equal(api.requests.length, 1);
  });
});

describe('requests for single rows, side by side', () => {
  const side = { width: 1, until: Infinity };
  const rows = [row(1), row(2), row(3), row(4)];
  const failing =
    (code: 'rejected' | 'unknown' | 'rate-limited' | 'unavailable' | 'auth', at: number, retryAfter = 1) =>
    async (each: OutgoingRow) => {
      if (each.no === at) throw new MillraceError(code, 'why', { retryAfter });
      return { status: 'acknowledged' as const };
    };
  const statuses = async (send: ReturnType<typeof failing>): Promise<readonly string[]> =>
    (await eachRow(rows, side, send)).map(({ status }) => status);

  it('a refusal or a missing answer is its row’s own', async () => {
    assert.deepEqual(await statuses(failing('rejected', 2)), ['acknowledged', 'rejected', 'acknowledged', 'acknowledged']);
    assert.deepEqual(await statuses(failing('unknown', 4)), ['acknowledged', 'acknowledged', 'acknowledged', 'unknown']);
  });

  it('a passing fault stops the rows behind it, which are sent again', async () => {
    assert.deepEqual(await statuses(failing('unavailable', 2)), ['acknowledged', 'again', 'again', 'again']);
    assert.deepEqual(await statuses(failing('rate-limited', 3, 5_000)), ['acknowledged', 'acknowledged', 'again', 'again']);
  });

  it('a long wait, and what concerns all rows, is thrown', async () => {
    await assert.rejects(statuses(failing('rate-limited', 3, 60_000)), { code: 'rate-limited', retryAfter: 60_000 });
    await assert.rejects(statuses(failing('auth', 3)), { code: 'auth' });
    await assert.rejects(eachRow([row(1)], side, failing('unavailable', 1)), { code: 'unavailable' });
  });

  it('none begins after its time', async () => {
    const late = await eachRow(rows, { width: 2, until: performance.now() - 1 }, failing('auth', 9));
    assert.deepEqual(
      late.map(({ status }) => status),
      ['again', 'again', 'again', 'again'],
    );
  });
});
