import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase, temporalAddress } from '../servers.ts';
import { run, start, type Place } from './command-kit.ts';

const project = (name: string): string => `project: ${name}
connections:
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
  hook: { type: webhook, url: "https://hooks.example.org", secret: "\${env:NOPE}" }
gateway: { listen: "127.0.0.1:0", webhooks: { partner: { to: hook, datasets: ["marts.*"] } } }
apis:
  orders: { dataset: marts.orders, key: id, roles: { analyst: { fields: all } } }
  gone: { dataset: marts.gone, key: id, roles: { analyst: { fields: all, rows: "id = \${claim:own}" } } }
`;

describe('what a gateway lacks', function () {
  this.timeout(240_000);
  let place: Place;
  let warehouse: string;

  before(async () => {
    warehouse = await createDatabase('webhook_secret');
    await sql(warehouse, 'CREATE SCHEMA marts; CREATE TABLE marts.orders (id bigint PRIMARY KEY)');
    const environment = { WAREHOUSE_URL: warehouse, TEMPORAL_ADDRESS: await temporalAddress() };
    place = { folder: await mkdtemp(join(tmpdir(), 'millrace-webhook-secret-')), environment };
    await writeFile(join(place.folder, 'millrace.yaml'), project(`lacks-${randomBytes(4).toString('hex')}`));
  });
  after(async () => {
    await rm(place.folder, { recursive: true, force: true });
    await dropDatabase(warehouse);
  });

  it('check says which secret of a webhook is missing', async () => {
    const { code, stdout } = await run(place, 'check');
    assert.equal(code, 1);
    assert.match(
      stdout,
      /failed {2}connection hook to tell of commits.*\n +Connection hook: secret needs the variable NOPE, which is not set/,
    );
    assert.match(stdout, /failed {2}api gone.*\n +.*"marts\.gone" does not exist/);
  });

  it('serve says it when it starts, and which APIs are not there', async () => {
    const serving = start(place, ['serve']);
    try {
      await serving.until('/docs');
      const written = serving.written();
      assert.match(written, /Connection hook: secret needs the variable NOPE/);
      assert.match(written, /The gateway is at \S+: \/api\/orders\n/);
      assert.match(written, /Not there yet: gone: .*"marts\.gone" does not exist/);
    } finally {
      serving.child.kill('SIGTERM');
      await serving.ended;
    }
  });

  it('a token without a claim that rows go by is told that it is refused there, and lives the days it was given', async () => {
    const { stderr } = await run(place, 'token', 'create', '--role', 'analyst', '--name', 'helpdesk');
    assert.match(stderr, /Rows of gone go by the claim "own", which it does not have: the gateway refuses it there \(403\)/);
    await run(place, 'token', 'create', '--scope', 'metrics', '--name', 'prometheus');
    const { stdout } = await run(place, 'token', 'list');
    assert.match(stdout, /helpdesk.*in 90 days/);
    assert.match(stdout, /prometheus.*metrics/);
  });
});
