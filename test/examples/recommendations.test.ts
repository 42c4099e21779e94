import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import axios from 'axios';
import { serve } from '../../examples/recommendations/service.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase, temporalAddress } from '../servers.ts';
import { until } from '../workflows/until.ts';

const cli = fileURLToPath(new URL('../../client/cli.ts', import.meta.url));
const original = fileURLToPath(new URL('../../examples/recommendations', import.meta.url));

describe('the example recommendations', function () {
  this.timeout(240_000);
  let folder: string;
  let warehouse: string;
  let environment: NodeJS.ProcessEnv;
  let up: ChildProcess;
  let gateway: string;
  let service: Awaited<ReturnType<typeof serve>>;

  const millrace = async (command: string, ...args: readonly string[]): Promise<string> => {
    const all = ['--import', 'tsx', cli, command, ...args, '--file', join(folder, 'millrace.yaml')];
    return (await promisify(execFile)(process.execPath, all, { env: environment })).stdout.trim();
  };

  const titles = async (person: string): Promise<readonly string[]> => {
    const { data } = await axios.get<{ title: string }[]>(`${service.address}/people/${person}`);
    return data.map(({ title }) => title);
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-recommendations-'));
    warehouse = await createDatabase('recommendations');
    environment = { ...process.env, WAREHOUSE_URL: warehouse, TEMPORAL_ADDRESS: await temporalAddress(), MILLRACE_LOG_LEVEL: 'error' };
    await cp(original, folder, { recursive: true, filter: (path) => !path.includes('.millrace') });
    const file = join(folder, 'millrace.yaml');
    const project = `project: recommendations-${randomUUID().slice(0, 8)}\ngateway: { listen: '127.0.0.1:0' }`;
    await writeFile(file, (await readFile(file, 'utf8')).replace('project: recommendations', project));
    up = spawn(process.execPath, ['--import', 'tsx', cli, 'up', '--file', file], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.ok(up.stdout);
    const lines = createInterface({ input: up.stdout });
    gateway = await new Promise<string>((resolve, reject) => {
      lines.on('line', (line) => {
        const found = /^The gateway is at (http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      });
      lines.once('close', () => reject(new Error('up ended before the gateway was there')));
    });
    await millrace('run', 'films');
    const token = await millrace('token', 'create', '--role', 'service', '--scope', 'api', '--scope', 'ingest:clicks', '--name', 'test');
    service = await serve({ gateway, token }, 0);
    // The gateway hears of the first loads, and publishes then.
    await until(async () => (await titles('nobody')).length > 0, 'answer of the service', 60);
  });

  after(async () => {
    service?.close();
    up.kill('SIGTERM');
    if (up.exitCode === null) await once(up, 'exit');
    await Promise.all([rm(folder, { recursive: true, force: true }), dropDatabase(warehouse)]);
  });

  it('recommends what is best to somebody new, and knows of each click in an answer soon after', async () => {
    assert.deepEqual(await titles('ada'), ['Rear Window', 'Once Upon a Time in the West', 'Alien']);
    for (const film of [7, 8, 12]) await axios.post(`${service.address}/people/ada/clicks/${film}`);
    const westerns = ['Once Upon a Time in the West', 'High Noon', 'The Searchers'];
    await until(async () => (await titles('ada')).join() === westerns.join(), 'westerns for Ada', 60);
    assert.deepEqual(await titles('ben'), ['Rear Window', 'Once Upon a Time in the West', 'Alien']);
    const clicksOf = async () => await sql(warehouse, 'SELECT person, film_id::int AS film FROM events.clicks ORDER BY film_id');
    // The first ones can have been enough.
    await until(async () => (await clicksOf()).length === 3, 'all clicks');
    const clicks = await clicksOf();
    assert.deepEqual(
      clicks,
      ['7', '8', '12'].map((film) => ({ person: 'ada', film })),
    );
    await assertBooksBalance(warehouse);
  });

  it('says what the gateway refused, and when it did not answer', async () => {
    const asked = async (address: string, path: string) => {
      const { status, data } = await axios.get<{ error: string }>(`${address}${path}`, { validateStatus: () => true });
      return [status, data.error];
    };
    assert.deepEqual(await asked(service.address, '/people/%00'), [400, 'the gateway refused: 400 Bad request']);
    assert.deepEqual(await asked(service.address, '/people/%zz'), [400, 'the path has a broken escape']);
    const stranger = await serve({ gateway, token: 'mr_of_nobody' }, 0);
    assert.deepEqual(await asked(stranger.address, '/people/ada'), [502, 'the gateway refused: 401 Unauthorized']);
    stranger.close();
    const alone = await serve({ gateway: 'http://127.0.0.1:1', token: '' }, 0);
    assert.deepEqual(await asked(alone.address, '/people/ada'), [502, 'the gateway did not answer']);
    alone.close();
  });
});
