import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile, open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { promisify } from 'node:util';
import { eventLine, parseEventLine } from '../../connectors/ingest/event-line.ts';
import { makeIngestFolder, sealedNumbers, sealedPath, sealSegment } from '../../connectors/ingest/segments.ts';
import { ownPrefix } from '../../gateway/ingest/owner.ts';
import { recoverSegments } from '../../gateway/ingest/recover.ts';
import { SegmentWriter } from '../../gateway/ingest/segment-writer.ts';
import { clickSchema, openIngestGateway } from '../kits/ingest.ts';
import { storedIds } from './stored-events.ts';
import { until } from '../workflows/until.ts';

describe('POST /ingest/<connection>', () => {
  it('takes one event, an array, or lines, and answers when they are on disk, as they came', async () => {
    await using gateway = await openIngestGateway();
    const text = '{ "event_id" : "a",\n  "user": 9007199254740993, "price": 1.10 }';
    assert.deepEqual(await gateway.post(text).then(({ status, body }) => [status, body]), [
      202,
      { accepted: 1, duplicates: 0, rejected: [] },
    ]);
    assert.equal((await gateway.post('[{"event_id":"b"} , {"event_id":"c","page":{"x":[1,"]"]}}]')).body.accepted, 2);
    const lines = await gateway.post('{"event_id":"d"}\r\n\n{"event_id":"e"}', { 'content-type': 'application/x-ndjson' });
    assert.equal(lines.body.accepted, 2);
    assert.deepEqual((await storedIds(gateway.folder)).toSorted(), ['a', 'b', 'c', 'd', 'e']);
    await until(async () => (await sealedNumbers(gateway.folder)).length > 0, 'sealed segment');
    const [first = ''] = (await readFile(sealedPath(gateway.folder, 1), 'utf8')).split('\n');
    assert.equal(parseEventLine(first)?.text, text.replace('\n', ' '));
    assert.doesNotThrow(() => JSON.parse(first));
    await until(() => gateway.woken.some(({ segments }) => segments > 0), 'call of the loader');
  });

  it('refuses bad events with a pointer, keeps the good ones, and stores nothing where all are bad', async () => {
    await using gateway = await openIngestGateway();
    const bad = [
      { event_id: 'a', user: 'x' },
      { event_id: 'good' },
      { user: 1 },
      { event_id: 'b', other: 1 },
      7,
      { event_id: 'c', at: 'yesterday' },
    ];
    const { status, body } = await gateway.post(bad);
    assert.equal(status, 202);
    assert.equal(body.accepted, 1);
    assert.deepEqual(
      body.rejected?.map(({ index, errors }) => [index, errors[0]?.at]),
      [
        [0, '/user'],
        [2, ''],
        [3, '/other'],
        [4, ''],
        [5, '/at'],
      ],
    );
    const none = await gateway.post([{ event_id: 'x', user: 'x' }]);
    assert.equal(none.status, 422);
    assert.equal(none.body.errors?.[0]?.at, '/0/user');
    assert.equal((await gateway.post({ event_id: '' })).body.errors?.[0]?.at, '/event_id');
    const lines = await gateway.post('\n{"event_id":"also"}\n\n\n{}\n', { 'content-type': 'application/x-ndjson' });
    assert.deepEqual(
      lines.body.rejected?.map(({ index }) => index),
      [4],
    );
    assert.deepEqual(await storedIds(gateway.folder), ['good', 'also']);
  });

  it('tells the first fault of an event alone, however many it has, and looks at no pattern where the text is too long', async () => {
    const tags = { type: 'array', items: { type: 'string', maxLength: 20, pattern: '^(a+)+$' } };
    await using gateway = await openIngestGateway({ schema: { ...clickSchema, properties: { ...clickSchema.properties, tags } } });
    const { status, body } = await gateway.post({ event_id: 'a', tags: Array.from({ length: 20_000 }, () => `${'a'.repeat(40)}!`) });
    assert.deepEqual([status, body.errors?.map(({ at }) => at)], [422, ['/tags/0']]);
  });

  it('refuses what a table could not hold, which JSON and its schema allow', async () => {
    await using gateway = await openIngestGateway();
    const refused = async (event: string): Promise<unknown> => (await gateway.post(event)).body.errors?.[0];
    const deep = `{"event_id":"a","page":{"x":${'['.repeat(70)}${']'.repeat(70)}}}`;
    assert.deepEqual(await refused('{"event_id":"a","page":{"x":"\\u0000"}}'), { at: '/page/x', message: 'holds a NUL character' });
    assert.deepEqual(await refused('{"event_id":"\\ud800"}'), { at: '/event_id', message: 'holds half of a surrogate pair' });
    assert.deepEqual(await refused('{"event_id":"a","user":9223372036854775808}'), { at: '/user', message: 'must fit 64 bits' });
    assert.match(JSON.stringify(await refused('{"event_id":"a","page":{"n":1e9999}}')), /number/);
    assert.match(JSON.stringify(await refused('{"event_id":"a","price":1e-5000}')), /number/);
    assert.match(JSON.stringify(await refused(deep)), /deeper/);
    assert.match(JSON.stringify(await refused('{"event_id":"a","at":"0000-01-01T00:00:00Z"}')), /at/);
    assert.equal((await gateway.post(Buffer.from([0x7b, 0xff, 0x7d]))).status, 400);
    assert.equal((await gateway.post('{"event_id":')).status, 400);
    assert.equal((await gateway.post('event_id=a', { 'content-type': 'application/x-www-form-urlencoded' })).status, 415);
    assert.equal((await gateway.post(JSON.stringify(Array.from({ length: 10_001 }, () => 1)))).status, 413);
    assert.equal((await gateway.post('x'.repeat(1024 * 1024 + 1))).status, 413);
    assert.equal((await gateway.post('[]')).body.accepted, 0);
    assert.deepEqual(await storedIds(gateway.folder), []);
  });

  it('takes an event once by its key, and a delivery once by its header', async () => {
    await using gateway = await openIngestGateway();
    await gateway.post({ event_id: 'a' });
    assert.deepEqual((await gateway.post([{ event_id: 'a' }, { event_id: 'b' }, { event_id: 'b' }])).body, {
      accepted: 1,
      duplicates: 2,
      rejected: [],
    });
    await using keyless = await openIngestGateway({ settings: {} });
    const header = { 'idempotency-key': 'delivery-1' };
    assert.equal((await keyless.post([{ event_id: 'a' }, { event_id: 'a' }], header)).body.accepted, 2);
    assert.deepEqual((await keyless.post([{ event_id: 'a' }, { event_id: 'a' }], header)).body, {
      accepted: 0,
      duplicates: 2,
      rejected: [],
    });
    const other = await keyless.post({ event_id: 'other' }, header);
    assert.deepEqual([other.status, other.body.title], [422, 'Idempotency key reused']);
    assert.equal((await keyless.post({ event_id: 'a' })).body.accepted, 1);
    assert.equal((await keyless.post({ event_id: 'a' }, { 'idempotency-key': 'é' })).status, 400);
    const theirs = { ...header, 'x-caller': 'other' };
    assert.equal((await keyless.post([{ event_id: 'theirs' }], theirs)).body.accepted, 1);
    assert.equal((await keyless.post([{ event_id: 'theirs' }], theirs)).body.duplicates, 1);
    const ids = await storedIds(keyless.folder);
    assert.match(ids.slice(0, 2).join(' '), /^([0-9a-f]{16})\/delivery-1\/0 \1\/delivery-1\/1$/);
    assert.equal(new Set(ids).size, 4);
  });

  it('takes up a changed schema, and keeps the one before while the new one is wrong', async () => {
    await using gateway = await openIngestGateway();
    assert.equal((await gateway.post({ event_id: 'a', more: 1 })).status, 422);
    const schema = JSON.parse(await readFile(gateway.schemaPath, 'utf8')) as { properties: object };
    await writeFile(gateway.schemaPath, JSON.stringify({ ...schema, properties: { ...schema.properties, more: { type: 'integer' } } }));
    await until(async () => (await gateway.post({ event_id: `a${Date.now()}`, more: 1 })).status === 202, 'new schema');
    await writeFile(gateway.schemaPath, '{ "type": ');
    await new Promise((resolve) => setTimeout(resolve, 1100));
    assert.equal((await gateway.post({ event_id: 'c', more: 1 })).status, 202);
  });

  it('asks to come back later where too much waits, and accepts nothing', async () => {
    await using gateway = await openIngestGateway({ settings: { key: 'event_id', max_pending: '1 KB' } });
    const answers = [];
    for (let no = 0; no < 30; no += 1) answers.push(await gateway.post({ event_id: `event ${no}` }));
    const waits = gateway.gauge('ingest_pending_bytes') ?? 0;
    assert.ok(waits > 500 && waits <= 1024, String(waits));
    assert.ok((gateway.gauge('ingest_pending_segments') ?? 0) > 0);
    const full = answers.filter(({ status }) => status === 503);
    assert.ok(full.length > 0);
    assert.equal(full[0]?.headers['retry-after'], '5');
    assert.equal((await storedIds(gateway.folder)).length, answers.filter(({ status }) => status === 202).length);
  });

  it('accepts nothing that the disk refuses, and goes on when it has room again', async () => {
    await using gateway = await openIngestGateway();
    await gateway.post({ event_id: 'before' });
    const probe = await openFile(gateway.schemaPath, 'r');
    const prototype = Object.getPrototypeOf(probe) as typeof probe;
    await probe.close();
    const full = mock.method(prototype, 'datasync', () => Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })), {
      times: 1,
    });
    try {
      const refused = await gateway.post({ event_id: 'lost?' });
      assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '5']);
    } finally {
      full.mock.restore();
    }
    assert.equal((await gateway.post({ event_id: 'lost?' })).body.accepted, 1);
    assert.deepEqual((await storedIds(gateway.folder)).toSorted(), ['before', 'lost?']);
  });
});

describe('POST /ingest/<connection> on a disk that is really full', () => {
  it('refuses (503), keeps what it took, and takes events again when there is room', async function () {
    const root = await mkdtemp(join(tmpdir(), 'millrace-ingest-disk-'));
    try {
      const share = process.getuid?.() === 0 ? ['-m'] : ['-rm'];
      const line = 'mount -t tmpfs -o size=1m tmpfs "$1" || exit 9; "$2" --import tsx "$3" "$1"';
      const words = [...share, 'sh', '-c', line, 'sh', root, process.execPath, join(import.meta.dirname, 'ingest-on-disk.ts')];
      const done = await promisify(execFile)('unshare', words).catch((error: { code?: number | string; stderr?: string }) => error);
      // No right to mount, or no program for it.
      if (!('stdout' in done) || !done.stdout) {
        assert.ok(
          'code' in done && (done.code === 9 || done.code === 'ENOENT' || /^unshare:/m.test(done.stderr ?? '')),
          String(done.stderr),
        );
        return this.skip();
      }
      const { refused, again, same, accepted } = JSON.parse(done.stdout) as Record<string, unknown>;
      assert.deepEqual([refused, again, same], [503, 202, true]);
      assert.ok(Number(accepted) > 10, String(accepted));
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe('segments of events', () => {
  const event = (id: string): string => `${eventLine({ id, receivedAt: new Date().toISOString(), text: `{"event_id":"${id}"}` })}\n`;
  const open = async () => {
    const gateway = await openIngestGateway();
    await makeIngestFolder(gateway.folder);
    return gateway;
  };
  const ended = join('open', 'elsewhere~1~1~x.ndjson');

  it('that a killed process left are sealed without their torn line, once', async () => {
    await using gateway = await open();
    const name = (await ownPrefix()).replace(/~\d+~\d+~$/, '~999999~1~');
    await writeFile(join(gateway.folder, 'open', `${name}a.ndjson`), `${event('a')}${event('b')}${event('c').slice(0, -9)}`);
    await writeFile(join(gateway.folder, 'open', `${name}b.ndjson`), event('torn').slice(0, 20));
    const recovered = await Promise.all([recoverSegments(gateway.folder, () => []), recoverSegments(gateway.folder, () => [])]);
    assert.equal(recovered[0] + recovered[1], 1);
    assert.deepEqual(await storedIds(gateway.folder), ['a', 'b']);
    assert.deepEqual(await readdir(join(gateway.folder, 'open')), []);
  });

  it('of a process that lives, or of another host until it is silent, are left alone', async () => {
    await using gateway = await open();
    await writeFile(join(gateway.folder, ended), event('a'));
    assert.equal(await recoverSegments(gateway.folder, () => []), 0);
  });

  it('get dense numbers, and no two the same, from several processes at once', async () => {
    await using gateway = await open();
    const paths = await Promise.all(
      Array.from({ length: 20 }, async (_, no) => {
        const path = join(gateway.folder, 'open', `s${no}`);
        await writeFile(path, event(`e${no}`));
        return path;
      }),
    );
    const numbers = await Promise.all(paths.map((path) => sealSegment(gateway.folder, path)));
    assert.deepEqual(
      numbers.toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, no) => no + 1),
    );
    assert.equal((await storedIds(gateway.folder)).length, 20);
  });

  it('that another process took over acknowledge nothing more to their writer', async () => {
    await using gateway = await open();
    const quiet = (): void => undefined;
    const writer = new SegmentWriter(gateway.folder, { sealEvery: 60_000, sealBytes: 1e9, onSealed: quiet, onFault: quiet });
    await writer.append(Buffer.from(event('a')));
    const path = writer.path ?? '';
    const { rename } = await import('node:fs/promises');
    await mkdir(join(gateway.folder, 'taken'));
    await rename(path, join(gateway.folder, 'taken', 'x'));
    await assert.rejects(writer.append(Buffer.from(event('b'))), /taken over/);
    await writer.append(Buffer.from(event('c')));
    await writer.close();
    assert.deepEqual(await storedIds(gateway.folder), ['c']);
    assert.ok((await stat(join(gateway.folder, 'taken', 'x'))).size > 0);
  });

  it('are synced once for all requests that wait together', async () => {
    await using gateway = await open();
    const probe = await openFile(gateway.schemaPath, 'r');
    const prototype = Object.getPrototypeOf(probe) as typeof probe;
    await probe.close();
    // A slow disk: all have come long before it has written a few times.
    const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));
    const synced = mock.method(prototype, 'datasync', slow);
    try {
      await Promise.all(Array.from({ length: 50 }, (_, no) => gateway.post({ event_id: `e${no}` })));
      assert.ok(synced.mock.callCount() < 25, `${synced.mock.callCount()} syncs`);
    } finally {
      synced.mock.restore();
    }
    assert.equal((await storedIds(gateway.folder)).length, 50);
  });
});
