import assert from 'node:assert/strict';
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanUp } from '../../staging/clean-up.ts';
import { openFolderStaging } from '../../staging/folder.ts';
import type { Staging } from '../../staging/staging.ts';

describe('clean-up of staging', () => {
  let root: string;
  let staging: Staging;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-clean-up-'));
    staging = await openFolderStaging(root);
    for (const [index, load] of ['first', 'second', 'third', 'fourth'].entries()) {
      await staging.write(`shop/orders/${load}/0.csv`, { kind: 'csv' }, (async function* () {})(), () => 0, new AbortController().signal);
      await utimes(join(root, 'shop/orders', load), 1000 + index, 1000 + index);
    }
  });
  afterEach(() => rm(root, { recursive: true }));

  const folder = 'shop/orders';

  it('keeps the last loads, the running one among them', async () => {
    await cleanUp(staging, { folder, keep: 2, running: 'fourth' });
    assert.deepEqual(await staging.list(folder), ['third', 'fourth']);
  });

  it('never removes the running load, however old it is', async () => {
    await cleanUp(staging, { folder, keep: 0, running: 'first' });
    assert.deepEqual(await staging.list(folder), ['first']);
  });

  it('may run again, and where nothing is', async () => {
    for (let time = 0; time < 2; time++) await cleanUp(staging, { folder, keep: 9, running: 'fourth' });
    assert.equal((await staging.list(folder)).length, 4);
    await cleanUp(staging, { folder: 'shop/nothing', keep: 1, running: 'x' });
  });

  it('removes what writers left a day ago, not what one writes now', async () => {
    const [old, fresh] = [await staging.scratch(), await staging.scratch()];
    for (const path of [old, fresh]) await writeFile(path, 'unfinished');
    await utimes(old, 1000, 1000);
    await cleanUp(staging, { folder, keep: 9, running: 'fourth' });
    await assert.rejects(
      staging.adopt(old, 'a/b.csv', { kind: 'csv' }, 0, () => undefined),
      { code: 'ENOENT' },
    );
    await staging.adopt(fresh, 'a/b.csv', { kind: 'csv' }, 0, () => undefined);
  });
});
