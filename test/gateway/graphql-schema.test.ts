import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { buildSchema, validateSchema } from 'graphql';
import type { Catalog } from '../../gateway/catalog.ts';
import { graphqlSchemaOf } from '../../gateway/graphql/role-schema.ts';
import type { DatasetColumn, JsonType } from '../../schema/dataset.ts';
import type { ApiDefinition, RoleDefinition } from '../../schema/gateway-definition.ts';
import { apiOf } from './access-kit.ts';

const all: RoleDefinition = { fields: 'all', mask: {} };

const column = (name: string, json: JsonType, type: string, more: Partial<DatasetColumn> = {}): DatasetColumn => ({
  name,
  json,
  type,
  array: false,
  nullable: true,
  ...more,
});

const id = column('id', 'bigint', 'bigint', { nullable: false });

function catalogOf(apis: readonly (readonly [ApiDefinition, readonly DatasetColumn[], (readonly DatasetColumn[])?])[]): Catalog {
  const published = apis.map(([definition, columns, related = []]) => ({
    definition,
    shape: { columns, reads: [definition.dataset], rows: 0 },
    relationShapes: new Map([['notes', { columns: related, reads: ['marts.notes'], rows: 0 }]]),
  }));
  return { generation: 1, apis: published, api: (name) => published.find(({ definition }) => definition.name === name) };
}

const shop = catalogOf([
  [
    apiOf(
      'customers',
      {
        analyst: { ...all, mask: { email: 'hash', code: 'null' } },
        support: { fields: ['name', 'orders'], mask: {} },
      },
      {
        description: 'People who buy.',
        relations: {
          orders: {
            api: 'orders',
            source: { kind: 'table', schema: 'marts', table: 'orders' },
            on: [['id', 'customer']],
            fields: 'all',
            one: false,
          },
          notes: { source: { kind: 'table', schema: 'marts', table: 'notes' }, on: [['id', 'customer']], fields: ['text'], one: false },
        },
      },
    ),
    [
      id,
      column('name', 'string', 'text', { nullable: false, comment: 'As they call themselves.' }),
      column('email', 'string', 'text', { nullable: false }),
      column('code', 'integer', 'integer', { nullable: false }),
      column('kind', 'string', 'enum'),
      column('score', 'decimal', 'numeric(20,10)'),
      column('ratio', 'number', 'double'),
      column('active', 'boolean', 'boolean'),
      column('joined', 'date', 'date'),
      column('seen', 'timestamp', 'timestamptz'),
      column('wakes', 'time', 'time'),
      column('device', 'uuid', 'uuid'),
      column('tags', 'string', 'text', { array: true }),
      column('profile', 'json', 'jsonb'),
      column('photo', 'bytes', 'bytea'),
    ],
    [column('customer', 'bigint', 'bigint'), column('text', 'string', 'text')],
  ],
  [
    apiOf(
      'orders',
      { analyst: all, support: { fields: ['id'], mask: {} } },
      {
        relations: {
          customer: {
            api: 'customers',
            source: { kind: 'table', schema: 'marts', table: 'customers' },
            on: [['customer', 'id']],
            fields: 'all',
            one: true,
          },
        },
      },
    ),
    [id, column('customer', 'bigint', 'bigint', { nullable: false }), column('total', 'decimal', 'numeric(12,2)')],
  ],
  [apiOf('hidden', { owner: all }), [id]],
]);

describe('the schema of GraphQL', () => {
  for (const role of ['analyst', 'support'])
    it(`is for ${role} as it was`, async () => {
      const file = new URL(`./graphql-schema.${role}.txt`, import.meta.url);
      const text = graphqlSchemaOf(shop, role) ?? '';
      if (process.env['MILLRACE_TEST_RECORD'] !== undefined) await writeFile(file, text);
      assert.equal(text, await readFile(file, 'utf8'));
      assert.deepEqual(validateSchema(buildSchema(text)), []);
    });

  it('is none for a role that nothing is published for', () => {
    assert.equal(graphqlSchemaOf(shop, 'nobody'), undefined);
    assert.equal(graphqlSchemaOf(shop, 'toString'), undefined);
  });

  it('has a name for everything, whatever it is called in the project and the database', () => {
    const names = [
      'Query',
      'query',
      'string',
      'String',
      'customers',
      'Customers',
      'customers_connection',
      'customersByKey',
      'page_info',
      'bigIntFilter',
    ];
    const columns = [
      'id',
      'größe',
      'grösse',
      'a b',
      'a-b',
      '1st',
      '__typename',
      '__x',
      'true',
      'and',
      'or',
      'not',
      'null',
      '',
      'a_ASC',
      'a',
      'constructor',
      'toString',
    ];
    const odd = catalogOf(
      names.map((name) => [apiOf(name, { analyst: all }), columns.map((one) => (one === 'id' ? id : column(one, 'string', 'text')))]),
    );
    const text = graphqlSchemaOf(odd, 'analyst') ?? '';
    const schema = buildSchema(text);
    assert.deepEqual(validateSchema(schema), []);
    assert.equal(Object.keys(schema.getQueryType()!.getFields()).length, 3 * names.length);
    for (const { name, type } of schema.getQueryType()!.getFields()['customers']!.args) assert.ok(name !== '' && String(type) !== '');
    const customers = schema.getType('Customers');
    assert.ok(customers !== undefined && 'getFields' in customers);
    assert.equal(Object.keys(customers.getFields()).length, columns.length);
  });
});
