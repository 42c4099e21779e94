import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { StagedFile } from '../../schema/load.ts';
import { openFolderStaging } from '../../staging/folder.ts';
import type { StagingKeys } from '../../staging/keys.ts';
import type { Staging } from '../../staging/staging.ts';

const never = new AbortController().signal;
const frame = 64 * 1024;
const canary = 'CANARY-of-a-patient';

const keysOf = (...ids: readonly string[]): StagingKeys => ({
  current: ids[0] ?? '',
  byId: new Map(ids.map((id) => [id, createHash('sha256').update(id).digest()])),
});

async function* chunks(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function contents(staging: Staging, file: StagedFile): Promise<Buffer> {
  const read: Uint8Array[] = [];
  for await (const chunk of staging.read(file)) read.push(chunk);
  return Buffer.concat(read);
}

describe('staged files with keys', () => {
  let root: string;
  let staging: Staging;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-sealed-'));
    staging = await openFolderStaging(join(root, 'store'), { keys: keysOf('new', 'old') });
  });
  afterEach(() => rm(root, { recursive: true }));

  const write = (bytes: AsyncIterable<Uint8Array>, to = staging) => to.write('a/b.csv', { kind: 'csv' }, bytes, () => 1, never);
  const pathOf = (file: StagedFile) => join(root, 'store', file.name);

  it('come back as they were, whatever their length and chunks; the reference is of their clear bytes', async () => {
    const lengths = fc.oneof(fc.nat(3 * frame), fc.constantFrom(0, 1, frame - 1, frame, frame + 1, 2 * frame, 3 * frame));
    await fc.assert(
      fc.asyncProperty(fc.array(lengths, { maxLength: 4 }), async (sizes) => {
        const parts = sizes.map((size) => randomBytes(size));
        const file = await write(chunks(...parts));
        const whole = Buffer.concat(parts);
        assert.deepEqual(
          { bytes: file.bytes, sha256: file.sha256 },
          { bytes: whole.length, sha256: createHash('sha256').update(whole).digest('hex') },
        );
        assert.ok((await contents(staging, file)).equals(whole));
        assert.ok((await stat(pathOf(file))).size > whole.length);
      }),
      { numRuns: 25 },
    );
  });

  it('hold nothing in clear on the disk, written or adopted from a tool', async () => {
    const text = Buffer.from(canary.repeat(1000));
    const written = await write(chunks(text));
    assert.ok(!(await readFile(pathOf(written))).includes('CANARY'));
    const scratch = await staging.scratch();
    await writeFile(scratch, text);
    let beats = 0;
    const adopted = await staging.adopt(scratch, 'a/c.csv', { kind: 'csv' }, 1, () => (beats += 1));
    assert.ok(!(await readFile(pathOf(adopted))).includes('CANARY'));
    assert.ok((await contents(staging, adopted)).equals(text));
    assert.ok(beats > 0);
    assert.deepEqual(await readdir(join(root, 'store', '.scratch')), []);
  });

  it('lie in clear for a tool only while it has them, and where the setting says', async () => {
    const scratch = join(root, 'memory');
    const apart = await openFolderStaging(join(root, 'store'), { keys: keysOf('new'), scratch });
    const file = await write(chunks(Buffer.from(canary)), apart);
    {
      await using local = await apart.local(file);
      assert.equal(await readFile(local.path, 'utf8'), canary);
      assert.ok(local.path.startsWith(scratch));
    }
    assert.deepEqual(await readdir(scratch), []);
  });

  it('are read by a new key beside the old one, and files from before there were keys too', async () => {
    const before = await write(chunks(Buffer.from('in clear')), await openFolderStaging(join(root, 'store')));
    assert.equal((await contents(staging, before)).toString(), 'in clear');
    const old = await write(chunks(Buffer.from('old')), await openFolderStaging(join(root, 'store'), { keys: keysOf('old') }));
    assert.equal((await contents(staging, old)).toString(), 'old');
    const fresh = await write(chunks(Buffer.from('new')));
    const withoutNew = await openFolderStaging(join(root, 'store'), { keys: keysOf('old') });
    await assert.rejects(contents(withoutNew, fresh), { code: 'config', message: /with the key new.*MILLRACE_STAGING_KEYS/ });
    await assert.rejects((await openFolderStaging(join(root, 'store'))).local(fresh), { code: 'config', message: /with the key new/ });
  });

  it('that were changed, shortened, or whose frames changed places are lost, before a changed byte is handed on', async () => {
    const whole = Buffer.concat([Buffer.alloc(frame, 1), Buffer.alloc(frame, 2), Buffer.alloc(frame, 3)]);
    const file = await write(chunks(whole));
    const sealed = await readFile(pathOf(file));
    const header = sealed.length - 3 * (frame + 16);
    const frames = [0, 1, 2].map((no) => sealed.subarray(header + no * (frame + 16), header + (no + 1) * (frame + 16)));
    const flipped = Buffer.from(sealed);
    flipped[header + frame + 100] = (flipped[header + frame + 100] ?? 0) ^ 1;
    const swapped = Buffer.concat(
      [sealed.subarray(0, header), frames[1] ?? '', frames[0] ?? '', frames[2] ?? ''].map((part) => Buffer.from(part)),
    );
    for (const damaged of [flipped, swapped]) {
      await writeFile(pathOf(file), damaged);
      let read = Buffer.alloc(0);
      await assert.rejects(
        async () => {
          for await (const chunk of staging.read(file)) read = Buffer.concat([read, chunk]);
        },
        { code: 'staging-lost', message: /a\/b\.csv.*was changed/ },
      );
      assert.ok(whole.subarray(0, read.length).equals(read));
    }
    const handle = await open(pathOf(file), 'r+');
    await handle.truncate(header + 2 * (frame + 16));
    await handle.close();
    await assert.rejects(contents(staging, file), { code: 'staging-lost' });
  });
});
