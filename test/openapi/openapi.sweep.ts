import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTestGateway } from '../gateway-kit.ts';

const program = process.env['MILLRACE_SCHEMATHESIS'] ?? 'schemathesis';
const folder = import.meta.dirname;

const tables = `
  CREATE TABLE marts.guests (guest_id bigint PRIMARY KEY, name text NOT NULL, age smallint, balance numeric(12,2), joined timestamptz, active boolean, email text);
  CREATE TABLE marts.stays (stay_id integer PRIMARY KEY, guest_id bigint, begins date, wakes time, score double precision);
  CREATE TABLE marts.rooms (floor integer, ref uuid, seen timestamp, tags text[], details jsonb, PRIMARY KEY (floor, ref));
  INSERT INTO marts.guests SELECT n, 'Guest ' || n, n, n * 1.5, '2026-01-01Z'::timestamptz + n * interval '1 day', n % 2 = 0, 'g' || n FROM generate_series(1, 60) n;
  INSERT INTO marts.stays SELECT n, 1 + n % 60, date '2026-01-01' + n, time '07:00' + n * interval '1 minute', n / 8.0 FROM generate_series(1, 200) n;
  INSERT INTO marts.rooms SELECT n, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, timestamp '2026-01-01 00:00:00.5' + n * interval '1 hour', ARRAY['a'], '{"a": 1}' FROM generate_series(1, 20) n;`;

const common = { limit: { default: 5, max: 20 }, rate: '1000000/min' };
const apis = {
  guests: {
    dataset: 'marts.guests',
    key: 'guest_id',
    relations: { stays: { dataset: 'marts.stays', on: 'guest_id' } },
    roles: { tester: { fields: 'all', mask: { email: 'redact' } } },
    ...common,
  },
  stays: {
    dataset: 'marts.stays',
    key: 'stay_id',
    relations: { guest: { api: 'guests', on: 'guest_id', one: true } },
    roles: { tester: { fields: 'all' } },
    ...common,
  },
  rooms: { dataset: 'marts.rooms', key: ['floor', 'ref'], roles: { tester: { fields: 'all' } }, ...common },
};

const rate = { role: '1000000/min', all: '1000000/min', ingest: '1000000/min' };
/** Events, and what they start. The stream of changes has no end, so that it is left out of what is tried. */
const events = {
  project: {
    connections: { clicks: { type: 'ingest', schema: join(folder, 'event.json'), key: 'event_id' } },
    pipelines: { clicks: { from: 'clicks', to: 'warehouse.landed', streams: { clicks: { mode: 'append' } } } },
  },
  gateway: { rate, triggers: { refresh: { run: 'clicks' } } },
};
const scopes = ['api', 'changes', 'ingest', 'trigger:refresh'];

async function run(parameters: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  // It keeps what it found in the folder it runs in.
  const cwd = await mkdtemp(join(tmpdir(), 'millrace-openapi-'));
  const child = spawn(program, parameters, { cwd, env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' } });
  const parts: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  await rm(cwd, { recursive: true, force: true });
  return { code, said: parts.join('') };
}

describe('OpenAPI', () => {
  it('is what the gateway does: schemathesis finds nothing', async function () {
    this.timeout(180_000);
    if (program === 'none') return this.skip();
    if (spawnSync(program, ['--version']).status !== 0) {
      assert.notEqual(process.env['CI'], 'true', 'schemathesis is not there: .ci/run installs it where Python is');
      return this.skip();
    }
    await using gateway = await openTestGateway({ tables, apis, ...events });
    const token = await gateway.token({ role: 'tester', scopes });
    const { code, said } = await run(
      [
        ['--config-file', join(folder, 'schemathesis.toml'), 'run', `${gateway.address}/openapi.json`],
        ['--header', `Authorization: Bearer ${token}`, '--exclude-path', '/graphql', '--exclude-path', '/changes', '--checks', 'all'],
        ['--phases', 'examples,coverage,fuzzing', '--max-examples', '30', '--max-time', '60'],
        ['--generation-deterministic', '--continue-on-failure', '--no-color'],
      ].flat(),
    );
    assert.equal(code, 0, said);
    assert.match(said, /No issues found/);
    assert.deepEqual(
      gateway.log.filter(({ level }) => level === 'error'),
      [],
    );
  });
});
