import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { openDependencies } from '../../worker/dependencies.ts';
import { explainSync } from '../../worker/explain-sync.ts';
import { previewSync } from '../../worker/preview-sync.ts';
import { defineSync } from '../kits/sync-definition.ts';
import { testAttempt } from '../kits/source.ts';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { postgresConnection } from '../sync-kit.ts';

const options = { full: false, retry: false, resend: false };

describe('what a sync would do', () => {
  let folder: string;
  let database: string;
  before(async () => {
    [folder, database] = await Promise.all([mkdtemp(join(tmpdir(), 'millrace-would-')), createDatabase('would')]);
    await sql(
      database,
      `CREATE TABLE customers (email text, visits bigint, revenue numeric);
      INSERT INTO customers SELECT 'p' || i || '@example.org', 9007199254740000 + i, i + 0.5 FROM generate_series(1, 1000) i`,
    );
  });
  after(async () => {
    await dropDatabase(database);
    await rm(folder, { recursive: true, force: true });
  });

  const open = () => openDependencies({ staging: folder, environment: { CRM_TOKEN: 'pat-hunter2' } });
  function sync(): SyncDefinition {
    const warehouse = postgresConnection('warehouse', database);
    return defineSync({
      warehouse,
      state: warehouse,
      model: { name: 'customers', sql: 'SELECT * FROM customers', key: ['email'], after: [] },
      to: { name: 'crm', type: 'hubspot', settings: { type: 'hubspot', token: '${env:CRM_TOKEN}' } },
      object: 'contacts',
      match: [{ column: 'email', field: 'email' }],
      map: ['visits', 'revenue'].map((column) => ({ column, field: column, whenNull: 'clear' })),
    });
  }

  it('is told in rows, requests and seconds, and nothing is written', async () => {
    const { preview, estimate } = await previewSync(await open(), { sync: sync(), options, samples: 2 }, testAttempt());
    assert.deepEqual([preview.operations, preview.samples.length], [{ upsert: 1000 }, 2]);
    assert.equal(estimate.requests, 10);
    assert.ok(estimate.seconds !== undefined && estimate.seconds > 0);
    assert.deepEqual(await sql(database, `SELECT FROM pg_namespace WHERE nspname = '_millrace'`), []);
  });

  it('is shown for one row as the request that would go out, numbers as they are sent and credentials hidden', async () => {
    const { explanation, requests } = await explainSync(await open(), { sync: sync(), options, key: 'p993@example.org' }, testAttempt());
    assert.equal(explanation.planned?.operation, 'upsert');
    assert.equal(requests[0]?.headers['authorization'], '***');
    assert.match(requests[0]?.body ?? '', /9007199254740993/);
    assert.doesNotMatch(JSON.stringify(requests), /hunter2/);
  });
});
