import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { testEnvironment } from './servers.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

/** Runs a command as a user would: without what npm tells the tests about this project. */
function execute(command: string, words: readonly string[], cwd: string): Promise<{ stdout: string }> {
  const environment = Object.entries(testEnvironment()).filter(([name]) => !name.toLowerCase().startsWith('npm_'));
  return run(command, words, { cwd, env: Object.fromEntries(environment), maxBuffer: 16_000_000 });
}

describe('the package, installed into an empty folder', function () {
  this.timeout(300_000);
  let folder: string;
  const npx = (...words: string[]) => execute('npx', ['--no-install', 'millrace', ...words], folder);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-package-'));
    await execute('npm', ['pack', '--pack-destination', folder], root);
    const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
    await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    await execute('npm', ['install', `./${archive}`], folder);
  });

  after(async () => {
    await npx('down');
    await rm(folder, { recursive: true, force: true });
  });

  it('writes a first project and runs it, from nothing to rows and rejections', async () => {
    await npx('init');
    const { stdout } = await npx('run', 'films');
    assert.match(stdout, /films succeeded: 1 of 1 stream, 9 rows read, 5 loaded, 3 rejected/);
    assert.match((await npx('rejections', 'films')).stdout, /cast date/);
  });

  it('holds compiled code, both workflow bundles and types, and no sources', async () => {
    const files = await readdir(join(folder, 'node_modules', 'millrace'), { recursive: true });
    assert.ok(files.includes('dist/workflow-bundle.js'));
    assert.ok(files.includes('dist/client/index.d.ts'));
    assert.deepEqual(
      files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts')),
      [],
    );
  });

  it('types a project file, and gives the client as a library', async () => {
    await writeFile(
      join(folder, 'library.ts'),
      `import { defineProject, loadProject } from 'millrace';\nexport default defineProject({ project: 'x', connections: {} });\nexport const loaded: Promise<{ readonly name: string }> = loadProject();\n`,
    );
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    await execute(tsc, ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', '', 'library.ts'], folder);
    const { stdout } = await execute('node', ['-e', `import('millrace').then((m) => console.log(typeof m.startRun))`], folder);
    assert.equal(stdout.trim(), 'function');
  });
});
