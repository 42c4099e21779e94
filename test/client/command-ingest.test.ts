import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase, temporalAddress } from '../servers.ts';
import { until } from '../workflows/until.ts';
import { run, start, type Ended, type Place, type Started } from './command-kit.ts';

const name = `events-${randomBytes(4).toString('hex')}`;
const project = `project: ${name}
connections:
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
  clicks: { type: ingest, schema: ./event.json, key: event_id }
pipelines:
  clicks: { from: clicks, to: warehouse.events, streams: { clicks: { mode: append, contract: freeze } } }
gateway: { listen: "127.0.0.1:0" }
`;

describe('millrace and a pipeline of events', function () {
  this.timeout(240_000);
  let place: Place;
  let warehouse: string;
  let up: Started;
  let address: string;
  let token: string;

  const said = ({ code, stdout, stderr }: Ended, expected = 0): string => {
    assert.equal(code, expected, stdout + stderr);
    return stdout + stderr;
  };
  const post = async (id: string): Promise<void> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const { status } = await fetch(`${address}/ingest/clicks`, { method: 'POST', headers, body: JSON.stringify({ event_id: id }) });
    assert.equal(status, 202);
  };
  const loaded = async (events: number): Promise<void> =>
    await until(async () => (await sql(warehouse, 'SELECT FROM events.clicks').catch(() => [])).length === events, `${events} events`, 90);

  before(async () => {
    warehouse = await createDatabase('command_ingest');
    const folder = await mkdtemp(join(tmpdir(), 'millrace-command-ingest-'));
    place = { folder, environment: { WAREHOUSE_URL: warehouse, TEMPORAL_ADDRESS: await temporalAddress() } };
    const properties = { event_id: { type: 'string' } };
    await writeFile(join(folder, 'event.json'), JSON.stringify({ type: 'object', properties, required: ['event_id'] }));
    await writeFile(join(folder, 'millrace.yaml'), project);
    up = start(place, ['up', '--no-apply']);
    await up.until('/ingest/clicks');
    address = /The gateway is at (\S+):/.exec(up.written())?.[1] ?? '';
    token = (await run(place, 'token', 'create', '--scope', 'ingest', '--name', 'site')).stdout.trim();
  });

  after(async () => {
    await run(place, 'cancel', 'clicks');
    up.child.kill('SIGTERM');
    await up.ended;
    await dropDatabase(warehouse);
    await rm(place.folder, { recursive: true, force: true });
  });

  it('suggests no run after up', () => {
    assert.match(up.written(), /In another terminal: millrace status/);
    assert.doesNotMatch(up.written(), /millrace run/);
  });

  it('tells by status what was loaded and when, and that it loads as events come', async () => {
    await post('a');
    await loaded(1);
    await until(async () => /clicks +pipeline +idle .* 1 .*as events come/.test(said(await run(place, 'status'))), 'idle', 90);
    assert.match(said(await run(place, 'status', 'clicks')), /idle: 1 event in 1 load; none wait/);
  });

  it('holds loads by pause, says why, and loads what waited after resume', async () => {
    assert.match(said(await run(place, 'pause', 'clicks', '--note', 'the shop moves')), /events wait on disk/);
    await post('b');
    assert.match(said(await run(place, 'status')), /paused[^]*clicks: paused \(the shop moves\): millrace resume clicks/);
    assert.match(said(await run(place, 'run', 'clicks'), 1), /clicks is paused: millrace resume clicks/);
    await loaded(1);
    said(await run(place, 'resume', 'clicks'));
    await loaded(2);
  });

  it('has what waits loaded by run, in the workflow that lives, and refuses to read anything again', async () => {
    const done = said(await run(place, 'run', 'clicks'));
    assert.match(done, /clicks loads what is posted to \/ingest\/clicks as it comes/);
    assert.match(done, /idle: 2 events in 2 loads/);
    assert.match(said(await run(place, 'run', 'clicks', '--full-refresh', '--yes'), 2), /can't be read again/);
  });

  it('takes up rejections by retry, in the workflow that lives', async () => {
    assert.match(said(await run(place, 'retry', 'clicks')), /0 events loaded, 0 rejected again\nno open rejections/);
    assert.match(said(await run(place, 'retry', 'clicks', '--stream', 'other'), 2), /its one stream is clicks/);
  });

  it('ends by cancel, until the next event comes', async () => {
    assert.match(said(await run(place, 'cancel', 'clicks')), /the next that comes starts it again/);
    assert.match(said(await run(place, 'status')), /clicks +pipeline +cancelled/);
    await post('c');
    await loaded(3);
  });

  it('says by status why events are not loaded, and takes them all the same', async () => {
    const schema = { type: 'object', properties: { event_id: { type: 'string' }, more: { type: 'integer' } }, required: ['event_id'] };
    await writeFile(join(place.folder, 'event.json'), JSON.stringify(schema));
    await post('d');
    await until(async () => /clicks: schema: .*more/.test(said(await run(place, 'status'))), 'reason', 90);
    assert.match(said(await run(place, 'status', 'clicks')), /waiting: .*bytes wait/);
    await loaded(3);
  });

  it('tries again by run, at once, and tells what came of it', async () => {
    assert.match(said(await run(place, 'run', 'clicks'), 1), /failed: schema: .*more/);
    const schema = { type: 'object', properties: { event_id: { type: 'string' } }, required: ['event_id'] };
    await writeFile(join(place.folder, 'event.json'), JSON.stringify(schema));
    assert.doesNotMatch(said(await run(place, 'run', 'clicks')), /failed/);
    assert.equal((await sql(warehouse, 'SELECT FROM events.clicks')).length, 4);
  });
});
