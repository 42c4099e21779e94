import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attempt } from '../../connectors/connector.ts';
import { readSegments } from '../../connectors/ingest/read-segments.ts';
import { makeIngestFolder, sealedNumbers, sealedPath } from '../../connectors/ingest/segments.ts';
import { recoverSegments } from '../../gateway/ingest/recover.ts';
import { SegmentWriter, type SegmentWriterOptions } from '../../gateway/ingest/segment-writer.ts';
import { eventLine } from '../../connectors/ingest/event-line.ts';
import { ingestWaker, ingestWorkflowId } from '../../client/wake-ingest.ts';
import type { StagingKeys } from '../../staging/keys.ts';
import { clicksPipeline, openIngestGateway } from '../kits/ingest.ts';
import { openProject, sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';
import { until } from '../workflows/until.ts';

const [one, two] = [randomBytes(32), randomBytes(32)];
const older: StagingKeys = { current: 'old', byId: new Map([['old', one]]) };
const newer: StagingKeys = {
  current: 'new',
  byId: new Map([
    ['new', two],
    ['old', one],
  ]),
};
const canary = 'cANaRy7431';
const quiet = (): void => undefined;
const line = (id: string): Buffer =>
  Buffer.from(`${eventLine({ id, receivedAt: new Date().toISOString(), text: JSON.stringify({ event_id: id, page: { canary } }) })}\n`);
const attempt: Attempt = { signal: new AbortController().signal, name: 'test', beat: quiet };

async function written(folder: string, ids: readonly string[], keys: StagingKeys | undefined, more: Partial<SegmentWriterOptions> = {}) {
  const writer = new SegmentWriter(folder, { sealEvery: 60_000, sealBytes: 1e9, keys, onSealed: quiet, onFault: quiet, ...more });
  for (const id of ids) await writer.append(line(id));
  return writer;
}

/** Ids of the events in sealed segments. */
async function read(folder: string, keys: StagingKeys | undefined): Promise<string> {
  const columns = ['event_id', 'page'].map((name) => ({ name, type: 'text' }));
  const range = { from: 1, to: (await sealedNumbers(folder)).at(-1) ?? 0 };
  let text = '';
  for await (const { bytes } of readSegments({ folder, keys }, range, { columns, key: 'event_id' }, attempt)) text += Buffer.from(bytes);
  return text.replaceAll(/,.*|["\n]/g, '');
}

/** Files below a folder that hold a text. */
async function holding(folder: string, text: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    if (bytes.includes(text)) found.push(path);
  }
  return found;
}

describe('segments of events where staging has keys', () => {
  async function open() {
    const gateway = await openIngestGateway();
    await makeIngestFolder(gateway.folder);
    return gateway;
  }
  const onlyOpen = async (folder: string): Promise<string> => join(folder, 'open', (await readdir(join(folder, 'open')))[0] ?? '');

  it('hold no text of an event, open or sealed, and are read with their key, and with a newer one beside it', async () => {
    await using gateway = await open();
    const writer = await written(gateway.folder, ['a', 'b'], older);
    assert.deepEqual(await holding(gateway.folder, canary), []);
    await writer.close();
    assert.deepEqual(await holding(gateway.folder, canary), []);
    await (await written(gateway.folder, ['c'], newer)).close();
    assert.equal(await read(gateway.folder, newer), 'abc');
  });

  it('from before there was a key stay readable', async () => {
    await using gateway = await open();
    await (await written(gateway.folder, ['a'], undefined)).close();
    await (await written(gateway.folder, ['b'], older)).close();
    assert.equal(await read(gateway.folder, older), 'ab');
  });

  it('are refused with the name of the key that is missing', async () => {
    await using gateway = await open();
    await (await written(gateway.folder, ['a'], older)).close();
    const refused = { code: 'config', message: /encrypted with the key old: put that key into MILLRACE_STAGING_KEYS/ };
    await assert.rejects(read(gateway.folder, undefined), refused);
    await assert.rejects(read(gateway.folder, { current: 'new', byId: new Map([['new', two]]) }), refused);
  });

  it('are refused when they were changed, or cut between two writes', async () => {
    await using gateway = await open();
    await (await written(gateway.folder, ['a', 'b'], older)).close();
    const path = sealedPath(gateway.folder, 1);
    const whole = await readFile(path);
    for (let at = 8; at < whole.length; at += 13) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await writeFile(path, changed);
      await assert.rejects(read(gateway.folder, older), { code: 'config' }, String(at));
    }
    const end = 4 + 12 + 16;
    await writeFile(path, whole.subarray(0, whole.length - end));
    await assert.rejects(read(gateway.folder, older), /damaged/);
  });

  it('that a killed process left are sealed without what was torn, wherever that is', async () => {
    const sizes: number[] = [];
    await using whole = await open();
    const first = await written(whole.folder, ['a'], older);
    sizes.push((await stat(first.path ?? '')).size);
    await first.append(line('b'));
    sizes.push((await stat(first.path ?? '')).size);
    await first.close();
    const [one = 0, both = 0] = sizes;
    const cuts = [
      [3, ''],
      [one - 1, ''],
      [one, 'a'],
      [one + 2, 'a'],
      [both - 1, 'a'],
      [both, 'ab'],
    ] as const;
    for (const [cut, ids] of cuts) {
      await using gateway = await open();
      const left = await written(gateway.folder, ['a', 'b'], older);
      await truncate(left.path ?? '', cut);
      await mine(await onlyOpen(gateway.folder));
      assert.equal(await recoverSegments(gateway.folder, () => [], older), ids === '' ? 0 : 1, String(cut));
      assert.equal(await read(gateway.folder, older), ids, String(cut));
    }
  });

  it('that were left wait for their key, and let others be sealed', async () => {
    await using gateway = await open();
    await written(gateway.folder, ['a'], older);
    await mine(await onlyOpen(gateway.folder));
    await writeFile(join(gateway.folder, 'open', 'place~999999~1~x.ndjson'), line('b'));
    await mine(join(gateway.folder, 'open', 'place~999999~1~x.ndjson'), 60);
    await assert.rejects(
      recoverSegments(gateway.folder, () => []),
      { code: 'config', message: /the key old/ },
    );
    assert.equal(await read(gateway.folder, undefined), 'b');
    await mine(await onlyOpen(gateway.folder));
    assert.equal(await recoverSegments(gateway.folder, () => [], older), 1);
    assert.equal(await read(gateway.folder, older), 'ba');
  });

  it('go on with the next write after one that failed', async () => {
    await using gateway = await open();
    const writer = await written(gateway.folder, ['a'], older);
    const { size } = await stat(writer.path ?? '');
    const { mock } = await import('node:test');
    const { open: openFile } = await import('node:fs/promises');
    const probe = await openFile(gateway.schemaPath, 'r');
    const full = mock.method(Object.getPrototypeOf(probe) as typeof probe, 'datasync', () => Promise.reject(new Error('ENOSPC')), {
      times: 1,
    });
    await probe.close();
    await assert.rejects(writer.append(line('lost')), /ENOSPC/);
    full.mock.restore();
    assert.equal((await stat(writer.path ?? '')).size, size);
    await writer.append(line('b'));
    await writer.close();
    assert.equal(await read(gateway.folder, older), 'ab');
  });

  it('are read by a worker, and nothing of an event lies in clear anywhere in staging', async function () {
    this.timeout(120_000);
    const database = await createDatabase('sealed');
    const keys = `old:${one.toString('base64')}`;
    await using project = await openProject('sealed', { environment: { ...process.env, MILLRACE_STAGING_KEYS: keys } });
    const staging = join(project.folder, 'staging');
    let wake: ReturnType<typeof ingestWaker> | undefined;
    await using gateway = await openIngestGateway({
      project: project.project,
      staging,
      keys: older,
      wake: async (name, pending) => await wake?.(name, pending),
    });
    const definition = clicksPipeline(project.project, gateway.schemaPath, database);
    wake = ingestWaker(project.client, [{ definition, hash: 'one' }]);
    try {
      await gateway.post({ event_id: 'a', page: { canary } });
      const rows = async () => await sql(database, 'SELECT page FROM landed.clicks').catch(() => []);
      const found = new Set<string>();
      await until(
        async () => {
          for (const path of await holding(staging, canary)) found.add(path);
          return (await rows()).length === 1;
        },
        'the event',
        90,
      );
      assert.deepEqual([...found, ...(await holding(staging, canary))], []);
      assert.match((await rows())[0]?.['page'] ?? '', new RegExp(canary));
      assert.ok((await holding(join(staging), 'MRS1')).length > 0);
    } finally {
      await project.client.workflow.getHandle(ingestWorkflowId(definition)).terminate().catch(quiet);
      await dropDatabase(database);
    }
  });
});

/** Lets a segment be one that was left long ago. */
async function mine(path: string, seconds = 10): Promise<void> {
  const { utimes } = await import('node:fs/promises');
  const then = Date.now() / 1000 - seconds;
  await utimes(path, then, then);
}
