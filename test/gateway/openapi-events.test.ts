import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { embeddedSchema } from '../../gateway/openapi/event-schema.ts';
import { openTestGateway, until, type TestGateway } from '../gateway-kit.ts';

const place = '#/components/schemas/clicks.event';

/** Says what it has by every kind of reference; and properties that are called like words of JSON Schema. */
const order = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://shop.example.com/schemas/order.json',
  type: 'object',
  properties: {
    event_id: { $ref: '#/$defs/id' },
    parent: { $ref: 'order.json' },
    price: { $ref: 'https://shop.example.com/schemas/price.json' },
    tax: { $ref: 'price.json#/$defs/amount' },
    buyer: { $ref: '#person' },
    odd: { $ref: '#/$defs/a~1b%20c' },
    enum: { type: 'integer' },
  },
  required: ['price'],
  $defs: {
    id: { type: 'string', minLength: 1, maxLength: 100 },
    price: {
      $id: 'price.json',
      type: 'object',
      properties: { amount: { $ref: '#/$defs/amount' }, currency: { type: 'string' } },
      required: ['amount'],
      $defs: { amount: { type: 'number', minimum: 0 } },
    },
    someone: { $anchor: 'person', type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
    'a/b c': { type: 'boolean' },
  },
};

const events: readonly object[] = [
  { event_id: 'a', price: { amount: 1 } },
  { event_id: '', price: { amount: 1 } },
  { event_id: 'a', price: { amount: -1 } },
  { event_id: 'a', price: {} },
  { event_id: 'a' },
  { price: { amount: 1 }, parent: { price: { amount: 2 } } },
  { price: { amount: 1 }, parent: { price: 2 } },
  { price: { amount: 1 }, tax: 'x' },
  { price: { amount: 1 }, buyer: { name: 'Ann' } },
  { price: { amount: 1 }, buyer: {} },
  { price: { amount: 1 }, odd: true },
  { price: { amount: 1 }, odd: 'true' },
  { price: { amount: 1 }, $ref: 'text', enum: 1 },
  { price: { amount: 1 }, $ref: 7 },
  { price: { amount: 1 }, kind: { $ref: '#/$defs/id' } },
  { price: { amount: 1 }, kind: {} },
];

/** Programs that read OpenAPI take these for references, too. */
const kind = { enum: [{ $ref: '#/$defs/id' }, 'plain'] };
const withValues = { ...order, properties: { ...order.properties, $ref: { type: 'string' }, kind } };

/** What a schema of a document says of events. */
const verdicts = (embedded: object): readonly boolean[] => {
  const validate = new Ajv2020({ strict: false }).compile({ $ref: place, components: { schemas: { 'clicks.event': embedded } } });
  return events.map((event) => validate(event));
};

describe('schema of events in the OpenAPI document', () => {
  it('says the same as the file does, whatever it refers to, and has no place of its own', () => {
    const validate = new Ajv2020({ strict: false }).compile(withValues);
    const own = events.map((event) => validate(event));
    assert.ok(own.includes(true) && own.includes(false));
    const embedded = embeddedSchema(withValues, place);
    assert.deepEqual(verdicts(embedded), own);
    assert.doesNotMatch(JSON.stringify(embedded), /\$id|\$anchor|\$schema|example\.com/);
  });

  it('leaves out a reference that leads elsewhere, and says no more than is so', () => {
    const elsewhere = {
      type: 'object',
      properties: { a: { $ref: 'https://other.example.com/a.json', description: 'A.' }, b: { $ref: '#/nowhere' } },
    };
    assert.deepEqual(embeddedSchema(elsewhere, place)['properties'], { a: { description: 'A.' }, b: {} });
    const self = { $ref: '#/$defs/event', $defs: { event: { type: 'object', properties: { inner: { $ref: '#' } } } } };
    assert.deepEqual(embeddedSchema(self, place), {
      $ref: `${place}/$defs/event`,
      $defs: { event: { type: 'object', properties: { inner: { $ref: place } } } },
    });
  });
});

describe('OpenAPI of POST /ingest/<connection>', () => {
  let folder: string;
  let gateway: TestGateway;
  // oxlint-disable-next-line typescript/no-explicit-any -- a document of any form
  const documentNow = async (): Promise<any> =>
    (await gateway.get('/openapi.json', { token: await gateway.token({ role: 'analyst', scopes: ['api', 'ingest'] }) })).json;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-openapi-events-'));
    const schema = join(folder, 'order.json');
    await writeFile(schema, JSON.stringify(order));
    gateway = await openTestGateway({
      tables: 'CREATE TABLE marts.things (id integer PRIMARY KEY);',
      apis: { things: { dataset: 'marts.things', key: 'id', roles: { analyst: { fields: 'all' } } } },
      project: {
        connections: {
          orders: { type: 'ingest', schema, key: 'event_id' },
          payments: { type: 'ingest', schema, verify: { kind: 'stripe', secret: '${env:STRIPE_SECRET}' } },
        },
        pipelines: Object.fromEntries(
          ['orders', 'payments'].map((name) => [name, { from: name, to: 'warehouse.landed', streams: { [name]: { mode: 'append' } } }]),
        ),
      },
      environment: { STRIPE_SECRET: 'whsec_for_tests' },
    });
  });
  after(async () => {
    await gateway[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it('has the schema of its events, one by one, in an array or in lines, and is valid', async () => {
    const document = await documentNow();
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    assert.ok(valid, JSON.stringify(errors));
    const event = { $ref: '#/components/schemas/orders.event' };
    const { content } = document.paths['/ingest/orders'].post.requestBody;
    assert.deepEqual(content['application/json'].schema, { anyOf: [event, { type: 'array', items: event }] });
    assert.deepEqual(content['application/x-ndjson'].schema.contentSchema, { type: 'array', items: event });
    const { properties, required } = document.components.schemas['orders.event'];
    assert.deepEqual(properties.event_id, { $ref: '#/components/schemas/orders.event/$defs/id' });
    assert.deepEqual(required, ['price', 'event_id'], 'the key must have a value');
  });

  it('says that a signature stands for a token where a sender signs', async () => {
    const { paths, components } = await documentNow();
    assert.deepEqual(paths['/ingest/payments'].post.security, [{ 'payments.signature': [] }]);
    assert.equal(components.securitySchemes['payments.signature'].name, 'Stripe-Signature');
    assert.equal(paths['/ingest/orders'].post.security, undefined);
  });

  it('takes up a changed schema without a restart', async () => {
    await writeFile(
      join(folder, 'order.json'),
      JSON.stringify({ ...order, properties: { ...order.properties, added: { type: 'string' } } }),
    );
    await until(async () => (await documentNow()).components.schemas['orders.event'].properties.added !== undefined);
  });
});
