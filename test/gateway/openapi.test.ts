import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { TestGateway } from '../gateway-kit.ts';
import { openRestGateway } from './rest-kit.ts';

describe('OpenAPI document', () => {
  let gateway: TestGateway;
  // oxlint-disable-next-line typescript/no-explicit-any -- a document of any form
  let analyst: any;
  // oxlint-disable-next-line typescript/no-explicit-any -- as above
  let support: any;
  before(async () => {
    gateway = await openRestGateway();
    const tokens = [await gateway.token({ role: 'analyst' }), await gateway.token({ role: 'support', claims: { region: 'eu' } })];
    const [first, second] = await Promise.all(tokens.map(async (token) => (await gateway.get('/openapi.json', { token })).json));
    analyst = first;
    support = second;
  });
  after(async () => await gateway[Symbol.asyncDispose]());

  it('is valid OpenAPI 3.1', async () => {
    for (const document of [analyst, support]) {
      const { valid, errors } = await new Validator().validate(structuredClone(document));
      assert.ok(valid, JSON.stringify(errors));
      assert.equal(document.openapi, '3.1.0');
    }
  });

  it('refers to nothing that is not in it', () => {
    for (const [ref] of JSON.stringify(analyst).matchAll(/#\/components\/[^"]+/g)) {
      const [, , section = '', name = ''] = ref.split('/');
      assert.ok(Object.hasOwn(analyst.components[section], name), ref);
    }
  });

  it('has the paths that the role may call, and nothing of columns and APIs that it does not see', () => {
    assert.deepEqual(Object.keys(support.paths), [
      '/api/customers',
      '/api/customers/{customer_id}',
      '/batch/customers',
      '/aggregate/customers',
      '/graphql',
    ]);
    assert.doesNotMatch(JSON.stringify(support), /balance|secret|orders|seats/);
    assert.ok(analyst.paths['/api/seats/{row_no}/{place}']);
  });

  it('says how values are written: exact numbers as text, masks, what may be NULL', () => {
    const { properties } = analyst.components.schemas['customers.row'];
    assert.equal(properties.customer_id.type, 'string');
    assert.equal(properties.customer_id.format, 'int64');
    assert.deepEqual(properties.balance.type, ['string', 'null']);
    assert.deepEqual(properties.secret.enum, ['***', null]);
    assert.deepEqual(properties.account, { anyOf: [{ $ref: '#/components/schemas/customers.account.row' }, { type: 'null' }] });
  });

  it('sends nothing by itself: the parameters of a relation would include it', () => {
    for (const { get } of Object.values<typeof analyst>(analyst.paths)) {
      for (const { name, schema } of get?.parameters ?? []) assert.ok(!Object.hasOwn(schema, 'default'), name);
    }
  });

  it('says of each comparison that lets NULL through that it does, and how it is left out', async () => {
    const parameters: { name: string; description: string }[] = analyst.paths['/api/customers'].get.parameters;
    const count = async (query: string): Promise<number> =>
      (await gateway.get(`/api/customers?count=exact&${query}`, { token: await gateway.token({ role: 'analyst' }) })).json.count;
    for (const [asked, all, known] of [
      ['plan[ne]', 26, 13],
      ['plan[not_in]', 26, 13],
    ] as const) {
      const { description = '' } = parameters.find(({ name }) => name === asked) ?? {};
      assert.match(description, /or NULL, which `\[null\]=false` beside it leaves out/);
      assert.deepEqual([await count(`${asked}=pro`), await count(`${asked}=pro&plan[null]=false`)], [all, known]);
    }
  });

  it('has no number that readers of JSON round, and says what CSV does to text', () => {
    const text = JSON.stringify(analyst);
    const bounds = [...text.matchAll(/"(?:minimum|maximum)":(-?\d+)[,}]/g)].map(([, bound]) => Number(bound));
    assert.ok(bounds.length > 0 && bounds.every(Number.isSafeInteger));
    const list = analyst.paths['/api/customers'].get;
    const found = list.parameters.find(({ name }: { name: string }) => name === 'customer_id');
    assert.equal(found.schema.type, 'string');
    assert.match('-9223372036854775808', new RegExp(found.schema.pattern));
    assert.doesNotMatch('9223372036854775808', new RegExp(found.schema.pattern));
    assert.match(list.responses['200'].content['text/csv'].schema.description, /`=`, `\+`, `-`, `@`, a tab .* has a `'`/);
  });

  it('has no parameter for what a masked column can not be used for', () => {
    const names = analyst.paths['/api/customers'].get.parameters.map(({ name }: { name: string }) => name);
    assert.ok(names.includes('balance[gte]') && names.includes('limit[eq]') && names.includes('orders.limit'));
    assert.deepEqual(
      names.filter((name: string) => /email|secret/.test(name)),
      [],
    );
  });

  it('is served with an ETag, to those with a token', async () => {
    const token = await gateway.token({ role: 'analyst' });
    const told = await gateway.get('/openapi.json', { token });
    const again = await gateway.get('/openapi.json', { token, headers: { 'if-none-match': told.headers.get('etag') ?? '' } });
    assert.equal(again.status, 304);
    assert.equal((await gateway.get('/openapi.json')).status, 401);
  });
});

describe('API page', () => {
  it('comes with all of its files from the gateway, and allows no others', async () => {
    await using gateway = await openRestGateway();
    const page = await gateway.get('/docs');
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self'/);
    const files = [...page.text.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)].map(([, file = '']) => file);
    assert.equal(files.length, 4);
    for (const file of files) assert.equal((await gateway.get(`/${file}`)).status, 200, file);
    assert.doesNotMatch(page.text, /https?:|<script>|onclick|style=/);
  });
});
