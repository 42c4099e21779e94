import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { StagedFile } from '../../schema/load.ts';
import { openFolderStaging } from '../../staging/folder.ts';
import { stagedName } from '../../staging/name.ts';
import type { Staging } from '../../staging/staging.ts';

const never = new AbortController().signal;

async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}

async function contents(staging: Staging, file: StagedFile): Promise<Buffer> {
  const read: Uint8Array[] = [];
  for await (const chunk of staging.read(file)) read.push(chunk);
  return Buffer.concat(read);
}

/** Reads a damaged file to its end and gives the error and the bytes that were handed on before it. */
async function failure(staging: Staging, file: StagedFile): Promise<{ readonly bytes: number; readonly error: unknown }> {
  let bytes = 0;
  try {
    for await (const chunk of staging.read(file)) bytes += chunk.byteLength;
  } catch (error) {
    return { bytes, error };
  }
  return assert.fail('a damaged file was read to its end');
}

describe('staging in a folder', () => {
  let root: string;
  let staging: Staging;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-staging-'));
    staging = await openFolderStaging(join(root, 'store'));
  });
  afterEach(() => rm(root, { recursive: true }));

  const write = (name: string, bytes: AsyncIterable<Uint8Array>, signal = never) =>
    staging.write(name, { kind: 'csv' }, bytes, () => 2, signal);
  const pathOf = (file: StagedFile) => join(root, 'store', file.name);
  const scratchFiles = () => readdir(join(root, 'store', '.scratch'));

  it('gives back the bytes that were written, whatever their chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200_000, size: 'max' }), { maxLength: 8 }), async (parts) => {
        const file = await write('shop/orders/load/0.csv', chunks(...parts));
        const whole = Buffer.concat(parts);
        assert.equal(file.bytes, whole.byteLength);
        assert.equal(file.sha256, createHash('sha256').update(whole).digest('hex'));
        assert.ok((await contents(staging, file)).equals(whole));
      }),
      { numRuns: 30 },
    );
  });

  it('names format, rows, bytes and store in the reference', async () => {
    const file = await write('a/b.csv', chunks('"1"\n', '"2"\n'));
    assert.deepEqual(
      { ...file, sha256: '' },
      { store: staging.id, name: 'a/b.csv', format: { kind: 'csv' }, rows: 2, bytes: 8, sha256: '' },
    );
    await using local = await staging.local(file);
    assert.equal(await readFile(local.path, 'utf8'), '"1"\n"2"\n');
  });

  it('leaves nothing under the name and no scratch file when the source fails', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(1_000_000);
      throw new Error('source lost');
    }
    await assert.rejects(write('a/b.csv', failing()), /source lost/);
    assert.deepEqual(await scratchFiles(), []);
    assert.deepEqual(await readdir(join(root, 'store')), ['.scratch', 'store.json']);
  });

  it('leaves nothing when it is cancelled', async () => {
    const controller = new AbortController();
    async function* cancelled(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(1000);
      controller.abort(new Error('cancelled'));
      yield Buffer.alloc(1000);
    }
    await assert.rejects(write('a/b.csv', cancelled(), controller.signal), /cancelled/);
    assert.deepEqual(await scratchFiles(), []);
  });

  it('replaces a file when its name is written again', async () => {
    const first = await write('a/b.csv', chunks('first'));
    const second = await write('a/b.csv', chunks('second'));
    assert.equal((await contents(staging, second)).toString(), 'second');
    await assert.rejects(contents(staging, first), { code: 'staging-lost' });
  });

  it('finds a flipped bit before the last bytes are handed on, and names the file', async () => {
    const file = await write('a/b.csv', chunks(Buffer.alloc(700_000, 7)));
    const bytes = await readFile(pathOf(file));
    bytes[350_000] = 6;
    await writeFile(pathOf(file), bytes);
    const found = await failure(staging, file);
    assert.match(String(found.error), /a\/b\.csv.*checksum/);
    assert.ok(found.bytes < file.bytes);
  });

  it('finds a truncated, a longer and a missing file', async () => {
    const file = await write('a/b.csv', chunks('some bytes'));
    await truncate(pathOf(file), 5);
    await assert.rejects(contents(staging, file), { code: 'staging-lost', message: /a\/b\.csv.*5 bytes instead of 10/ });
    await truncate(pathOf(file), 11);
    await assert.rejects(staging.local(file), { code: 'staging-lost' });
    await staging.remove(file.name);
    await assert.rejects(contents(staging, file), { code: 'staging-lost', message: /missing/ });
  });

  it('finds out a worker with another folder at once', async () => {
    const file = await write('a/b.csv', chunks('x'));
    const other = await openFolderStaging(join(root, 'other'));
    await assert.rejects(contents(other, file), { code: 'config', message: /same staging folder/ });
    await assert.rejects(other.local(file), { code: 'config', message: new RegExp(staging.id) });
  });

  it('keeps its id, also when several processes open it at the same time', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => openFolderStaging(join(root, 'fresh'))));
    assert.equal(new Set(opened.map((one) => one.id)).size, 1);
    assert.equal((await openFolderStaging(join(root, 'fresh'))).id, opened[0]?.id);
    assert.deepEqual((await readdir(join(root, 'fresh'))).sort(), ['.scratch', 'store.json']);
  });

  it('adopts a file that a tool wrote, and beats while it sums it', async () => {
    const path = await staging.scratch();
    let beats = 0;
    await writeFile(path, 'made by a tool');
    const file = await staging.adopt(path, 'a/b.csv', { kind: 'csv' }, 3, () => (beats += 1));
    assert.equal(file.rows, 3);
    assert.ok(beats > 0);
    assert.equal((await contents(staging, file)).toString(), 'made by a tool');
    assert.deepEqual(await scratchFiles(), []);
  });

  it('is readable by its own user only', async () => {
    const file = await write('a/b.csv', chunks('x'));
    assert.equal((await stat(join(root, 'store'))).mode & 0o777, 0o700);
    assert.equal((await stat(join(root, 'store', 'a'))).mode & 0o777, 0o700);
    assert.equal((await stat(pathOf(file))).mode & 0o777, 0o600);
  });

  it('refuses names that leave the folder or hide', async () => {
    for (const name of ['../x', 'a/../../x', '/etc/x', 'a//b', '', '.scratch/x', 'a/.hidden', 'a\\b'])
      await assert.rejects(write(name, chunks('x')), TypeError, name);
  });

  it('lists loads oldest first and removes them with all below', async () => {
    for (const load of ['c', 'a', 'b']) await write(`shop/orders/${load}/0.csv`, chunks('x'));
    const day = 86_400;
    for (const [index, load] of ['c', 'a', 'b'].entries()) await utimes(join(root, 'store/shop/orders', load), index * day, index * day);
    assert.deepEqual(await staging.list('shop/orders'), ['c', 'a', 'b']);
    await staging.remove('shop/orders/a');
    await staging.remove('shop/orders/a');
    assert.deepEqual(await staging.list('shop/orders'), ['c', 'b']);
    assert.deepEqual(await staging.list('shop/nothing'), []);
  });
});

describe('names in staging', () => {
  it('are safe and different for different parts, also where case is ignored', () => {
    const nasty = [
      '..',
      '.',
      'a/b',
      'a-b',
      'Orders',
      'orders',
      'ORDERS',
      '',
      'movies-*.csv',
      'ü',
      'x'.repeat(500),
      'x'.repeat(501),
      'con\u0000',
    ];
    const names = nasty.map((part) => stagedName(part));
    assert.equal(new Set(names.map((name) => name.toLowerCase())).size, nasty.length);
    for (const name of names) assert.match(name, /^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,130}$/);
  });
});
