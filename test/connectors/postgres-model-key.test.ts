import assert from 'node:assert/strict';
import pg from 'pg';
import { checkRules } from '../../connectors/postgres/warehouse/model-rules.ts';
import { definitionFormat, type ModelDefinition } from '../../schema/definition.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

const model: ModelDefinition = {
  format: definitionFormat,
  project: 'acme',
  name: 'report',
  warehouse: { name: 'warehouse', type: 'postgres', settings: {} },
  sql: 'SELECT 1',
  build: 'table',
  after: [],
  alerts: [],
  heartbeatTimeout: 60_000,
};

describe('the key of a model', () => {
  let url: string;
  let client: pg.Client;

  before(async () => {
    url = await createDatabase('model_key');
    client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 1), (1, 2), (2, 2)`);
  });

  after(async () => {
    await client.end();
    await dropDatabase(url);
  });

  it('may be several columns, and holds', async () => {
    await checkRules(client, { ...model, key: ['a', 'b'] }, 't');
  });

  it('and rules hold whatever the columns are called', async () => {
    await client.query('CREATE TABLE named (id int, n int); INSERT INTO named VALUES (1, 2)');
    await checkRules(client, { ...model, key: ['id'], expect: { expect: { n: { unique: true } } } }, 'named');
  });

  it('stops the build when two rows are alike, or a value is missing', async () => {
    await assert.rejects(checkRules(client, { ...model, key: ['a'] }, 't'), {
      code: 'rejected',
      message: 'model report: 2 rows break the rule key of a; what was built before stays as it is',
    });
    await client.query('INSERT INTO t VALUES (NULL, 3)');
    await assert.rejects(checkRules(client, { ...model, key: ['a', 'b'] }, 't'), /1 rows break the rule key of a, b/);
  });
});
