import assert from 'node:assert/strict';
import { chmod, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSource } from '../../connectors/files/source.ts';
import type { SourcePlan } from '../../connectors/connector.ts';
import type { StreamDefinition } from '../../schema/definition.ts';
import { attempt, csvDialect, type FilesFolder, makeFolder } from './files-folder.ts';

const labels = (plan: SourcePlan) => plan.partitions.map((partition) => partition.label);

describe('files source: which files', () => {
  let folder: FilesFolder;
  beforeEach(async () => {
    folder = await makeFolder();
  });
  afterEach(() => folder[Symbol.asyncDispose]());

  /** Plans with the cursor of an earlier plan. */
  const next = (plan: SourcePlan, pattern: string, definition: Partial<StreamDefinition>) =>
    folder.plan(pattern, definition, { cursor: plan.nextCursor ?? undefined });

  it('are those that match a glob, in the order of their paths, hidden ones left out', async () => {
    for (const name of ['b.csv', 'a.csv', 'a.txt', '.hidden.csv', 'sub/c.csv', 'sub/.x/d.csv', 'sub/deep/e.csv', 'x (1) [2].csv'])
      await folder.put(name, 'id\n1\n');
    assert.deepEqual(labels(await folder.plan('*.csv')), ['a.csv', 'b.csv', 'x (1) [2].csv']);
    assert.deepEqual(labels(await folder.plan('**/*.csv')), ['a.csv', 'b.csv', 'sub/c.csv', 'sub/deep/e.csv', 'x (1) [2].csv']);
    assert.deepEqual(labels(await folder.plan('?.csv')), ['a.csv', 'b.csv']);
    assert.deepEqual(labels(await folder.plan('sub/*/e.csv')), ['sub/deep/e.csv']);
    assert.deepEqual(labels(await folder.plan('x (1) [2].csv')), ['x (1) [2].csv']);
    assert.deepEqual(labels(await folder.plan('x (*) [2].csv')), ['x (1) [2].csv']);
  });

  it('are not those of `except`', async () => {
    for (const name of ['a-1.csv', 'a-2.csv', 'a-old-1.csv']) await folder.put(name, 'id\n1\n');
    assert.deepEqual(labels(await folder.plan('a-*.csv', { except: ['a-old-*.csv', 'a-2.csv'] })), ['a-1.csv']);
  });

  it('stay inside the folder: no .., no absolute path, no link that leads out', async () => {
    await folder.put('in/a.csv', 'id\n1\n');
    await folder.put('secret.csv', 'id\n1\n');
    const source = await openSource({ type: 'files', path: join(folder.path, 'in') });
    const discover = (pattern: string) => source.discover([pattern], attempt);
    for (const pattern of ['../secret.csv', '../*.csv', '/etc/passwd', 'a/../../secret.csv', ''])
      await assert.rejects(discover(pattern), { code: 'config' }, pattern);
    await symlink(join(folder.path, 'secret.csv'), join(folder.path, 'in', 'link.csv'));
    await assert.rejects(discover('link.csv'), { code: 'config', message: /link\.csv.*leads out of the folder/ });
    await assert.rejects(discover('*.csv'), { code: 'config', message: /link\.csv/ });
    await rm(join(folder.path, 'in', 'link.csv'));
    await symlink('a.csv', join(folder.path, 'in', 'inside.csv'));
    assert.equal((await discover('inside.csv')).length, 1);
  });

  it('are missed with a sentence that names the nearest', async () => {
    await folder.put('movies-1.csv', 'id\n1\n');
    await assert.rejects(folder.source.discover(['movie-1.csv'], attempt), {
      code: 'not-found',
      message: /movie-1\.csv.*nearest is movies-1\.csv/,
    });
    await assert.rejects(folder.source.discover(['*.parquet'], attempt), { code: 'not-found', message: /No file matches \*\.parquet/ });
  });

  it('make one stream for each pattern', async () => {
    await folder.put('a.csv', 'id,x\n1,2\n');
    await folder.put('b.csv', 'id,y\n1,2\n');
    const [stream] = await folder.source.discover(['*.csv'], attempt);
    assert.equal(stream?.name, '*.csv');
    assert.deepEqual(
      stream.columns.map((column) => column.name),
      ['id', 'x', 'y'],
    );
    assert.deepEqual(
      (await folder.source.discover(undefined, attempt)).map((one) => one.name),
      ['a.csv', 'b.csv'],
    );
  });

  it('are united by column name; what a file lacks is said', async () => {
    await folder.put('a.csv', 'id,x\n1,2\n');
    await folder.put('b.csv', 'Y;ID\n1;2\n');
    const plan = await folder.plan('*.csv');
    assert.deepEqual(
      plan.columns.map((column) => column.name),
      ['id', 'x', 'Y'],
    );
    assert.deepEqual(csvDialect(plan.partitions[1]).columns, ['Y', 'id']);
    assert.deepEqual(plan.notes, ['a.csv: has no Y, NULL in its rows', 'b.csv: has no x, NULL in its rows']);
  });

  it('are checked, and the folder with them', async () => {
    assert.deepEqual((await folder.source.check(attempt)).problems, []);
    const missing = await openSource({ type: 'files', path: join(folder.path, 'nowhere') });
    assert.match((await missing.check(attempt)).problems.join(), /no folder .*nowhere/);
    await assert.rejects(missing.discover(undefined, attempt), { code: 'not-found' });
  });

  describe('are read as they were planned', () => {
    const change: Record<string, (path: string) => Promise<void>> = {
      grew: (path) => writeFile(path, 'id\n1\n2\n'),
      'was touched': (path) => utimes(path, 1, 1),
      'was replaced': async (path) => {
        await writeFile(`${path}.new`, 'id\n9\n');
        await rename(`${path}.new`, path);
      },
      'is gone': (path) => rm(path),
    };
    for (const [what, make] of Object.entries(change)) {
      it(`so one that ${what} since is planned again`, async () => {
        await folder.put('a.csv', 'id\n1\n');
        const plan = await folder.plan('a.csv');
        await make(join(folder.path, 'a.csv'));
        await assert.rejects(folder.read(plan, 'a.csv', plan.partitions[0]!), {
          code: 'conflict',
          message: /a\.csv.*since the run was planned/,
        });
      });
    }

    it('byte for byte, and again', async () => {
      const content = Buffer.alloc(700_000, 'id,x\n12,"quoted ""text"""\n');
      await folder.put('a.csv', content);
      const plan = await folder.plan('a.csv');
      for (let time = 0; time < 2; time++) assert.ok((await folder.read(plan, 'a.csv', plan.partitions[0]!)).equals(content));
    });
  });

  describe('increments', () => {
    it('append reads each file once', async () => {
      await folder.put('a.csv', 'id\n1\n');
      const first = await folder.plan('*.csv', { mode: 'append' });
      assert.deepEqual([labels(first), first.complete], [['a.csv'], true]);
      await folder.put('b.csv', 'id\n2\n');
      const second = await next(first, '*.csv', { mode: 'append' });
      assert.deepEqual([labels(second), second.complete], [['b.csv'], false]);
      const third = await next(second, '*.csv', { mode: 'append' });
      assert.deepEqual([labels(third), third.nextCursor], [[], second.nextCursor]);
    });

    it('append refuses a file that changed, by name and with the remedy', async () => {
      await folder.put('a.csv', 'id\n1\n');
      const first = await folder.plan('*.csv', { mode: 'append' });
      await folder.put('a.csv', 'id\n1\n2\n');
      await assert.rejects(next(first, '*.csv', { mode: 'append' }), { code: 'config', message: /a\.csv changed.*merge.*--full-refresh/ });
    });

    it('merge reads new and changed files', async () => {
      await folder.put('a.csv', 'id\n1\n');
      await folder.put('b.csv', 'id\n2\n');
      const first = await folder.plan('*.csv', { mode: 'merge' });
      await folder.put('a.csv', 'id\n1\n3\n');
      await folder.put('c.csv', 'id\n4\n');
      const second = await next(first, '*.csv', { mode: 'merge' });
      assert.deepEqual([labels(second), second.complete], [['a.csv', 'c.csv'], false]);
    });

    it('merge reads all files when deletes are to be found and anything changed', async () => {
      await folder.put('a.csv', 'id\n1\n');
      await folder.put('b.csv', 'id\n2\n');
      const definition = { mode: 'history', deletes: 'mark' } as const;
      const first = await folder.plan('*.csv', definition);
      assert.deepEqual(labels(await next(first, '*.csv', definition)), []);
      await folder.put('a.csv', 'id\n3\n');
      const second = await next(first, '*.csv', definition);
      assert.deepEqual([labels(second), second.complete], [['a.csv', 'b.csv'], true]);
    });

    it('replace reads all and keeps no cursor', async () => {
      await folder.put('a.csv', 'id\n1\n');
      const plan = await folder.plan('*.csv');
      assert.deepEqual([labels(plan), plan.complete, plan.nextCursor], [['a.csv'], true, null]);
    });

    it('keep columns that the new files lack', async () => {
      await folder.put('a.ndjson', '{"id":1,"discount":2.5}\n');
      const first = await folder.plan('*.ndjson', { mode: 'append' });
      await folder.put('b.ndjson', '{"id":2}\n');
      const second = await next(first, '*.ndjson', { mode: 'append' });
      assert.deepEqual(second.columns, first.columns);
    });

    it('have a cursor that stays small with hundreds of files, and still tells them apart', async () => {
      await mkdir(join(folder.path, 'many'));
      const names = Array.from({ length: 600 }, (_, index) => `many/part-of-a-long-name-${String(index).padStart(5, '0')}.csv`);
      for (const name of names) await writeFile(join(folder.path, name), 'id,name\n1,x');
      const first = await folder.plan('many/*.csv', { mode: 'append' });
      assert.ok((first.nextCursor?.length ?? 0) < 12_000, String(first.nextCursor?.length));
      assert.deepEqual((await next(first, 'many/*.csv', { mode: 'append' })).partitions, []);
      assert.ok(first.partitions.length <= 256);
      const texts = await Promise.all(first.partitions.map((partition) => folder.read(first, 'many/*.csv', partition)));
      const lines = texts.flatMap((text) => text.toString().trimEnd().split('\n'));
      assert.equal(lines.filter((line) => line === '1,x').length, 600);
      assert.equal(lines.filter((line) => line === 'id,name').length, first.partitions.length);
      await folder.put('many/new.csv', 'id,name\n2,y\n');
      const second = await next(first, 'many/*.csv', { mode: 'append' });
      assert.deepEqual(labels(second), ['many/new.csv']);
      await folder.put(names[7]!, 'id,name\n1,changed\n');
      await assert.rejects(next(second, 'many/*.csv', { mode: 'append' }), { code: 'config', message: /00007\.csv/ });
    });

    it('leave files that can not be joined to the next run, and refuse to replace by them', async () => {
      for (const name of ['a', 'b', 'c']) await folder.put(`${name}.json`, '[{"id":1}]');
      const first = await folder.plan('*.json', { mode: 'append' }, { maxPartitions: 2 });
      assert.deepEqual([labels(first), first.complete], [['a.json', 'b.json'], false]);
      assert.match(first.notes.join(), /1 files wait for the next run/);
      const second = await next(first, '*.json', { mode: 'append' });
      assert.deepEqual(labels(second), ['c.json']);
      await assert.rejects(folder.plan('*.json', {}, { maxPartitions: 2 }), { code: 'config', message: /3 files/ });
    });

    it('refuse a cursor of another connector and a window', async () => {
      await folder.put('a.csv', 'id\n1\n');
      await assert.rejects(folder.plan('a.csv', { mode: 'append' }, { cursor: '2024-01-01' }), {
        code: 'config',
        message: /--full-refresh/,
      });
      await assert.rejects(folder.plan('a.csv', {}, { window: { from: '1' } }), { code: 'config', message: /window/ });
    });
  });

  it('can not be read without a grant, which is said', async function () {
    if (process.getuid?.() === 0) this.skip();
    await chmod(folder.path, 0);
    await assert.rejects(folder.source.discover(undefined, attempt), { code: 'auth', message: /chmod/ });
    await chmod(folder.path, 0o700);
  });

  it('names a file that the worker may not read', async () => {
    await folder.put('closed.csv', 'id\n1\n');
    await chmod(join(folder.path, 'closed.csv'), 0);
    await chmod(folder.path, 0o755);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      await assert.rejects(folder.plan('closed.csv'), { code: 'auth', message: /may not read .*closed\.csv.*chmod/ });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});
