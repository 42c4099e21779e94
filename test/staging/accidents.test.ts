import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { promisify } from 'node:util';
import { openFolderStaging } from '../../staging/folder.ts';

const writer = join(import.meta.dirname, 'writer.ts');
const run = promisify(execFile);

async function* bytes(count: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at += 65_536) yield Buffer.alloc(65_536);
}

describe('staging in a folder, when things go wrong', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-accidents-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const leftovers = async () =>
    (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.csv') || name.startsWith('.scratch/'));

  it('leaves nothing under the name when the writer is killed, and sweeps what it left', async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', writer, root, 'forever'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const left = await leftovers();
    assert.deepEqual([left.length, left.filter((name) => name.endsWith('.csv'))], [1, []]);
    const staging = await openFolderStaging(root);
    assert.equal(await staging.sweep(60_000), 0);
    assert.equal(await staging.sweep(-1), 1);
    assert.deepEqual(await leftovers(), []);
  });

  for (const code of ['ENOSPC', 'EDQUOT']) {
    it(`says what to do when the disk is full (${code}), and leaves nothing`, async () => {
      const staging = await openFolderStaging(root);
      const probe = await open(root, 'r');
      const prototype = Object.getPrototypeOf(probe) as typeof probe;
      await probe.close();
      const full = mock.method(prototype, 'writev', () =>
        Promise.reject(Object.assign(new Error(`${code}: no space left on device, write`), { code })),
      );
      try {
        await assert.rejects(
          staging.write('a/b.csv', { kind: 'csv' }, bytes(10_000_000), () => 0, new AbortController().signal),
          {
            code: 'unavailable',
            message: new RegExp(`${root}.*[MG]iB free.*Free space`),
          },
        );
      } finally {
        full.mock.restore();
      }
      assert.deepEqual(await leftovers(), []);
    });
  }

  it('says so when its folder can not be made', async () => {
    await writeFile(join(root, 'a file'), '');
    await assert.rejects(openFolderStaging(join(root, 'a file', 'staging')), {
      code: 'config',
      message: /a file\/staging can't be written.*own it/,
    });
  });

  it('says so on a disk that is really full', async function () {
    const share = process.getuid?.() === 0 ? ['-m'] : ['-rm'];
    const command =
      'mount -t tmpfs -o size=1m tmpfs "$1" && "$2" --import tsx "$3" "$1" "$4" && find "$1" -name "*.csv" -o -path "*/.scratch/*"';
    const onSmallDisk = (size: number) =>
      run('unshare', [...share, 'sh', '-c', command, 'sh', root, process.execPath, writer, String(size)]);
    const small = await onSmallDisk(65_536).catch(() => undefined);
    if (small === undefined) return this.skip();
    assert.match(small.stdout, /"bytes":65536.*0\.csv/s);
    const { stdout } = await onSmallDisk(4_000_000);
    assert.match(stdout, /"code":"unavailable".*is full \([\d.]+ (bytes|KiB|MiB) free\)/);
    assert.doesNotMatch(stdout, /\.csv|\.scratch\//);
  });
});
