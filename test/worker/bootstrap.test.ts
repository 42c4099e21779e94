import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('setting up a fresh clone', function () {
  this.timeout(120_000);
  let clone: string;

  before(async () => {
    clone = await realpath(await mkdtemp(join(tmpdir(), 'millrace-clone-')));
    await mkdir(join(clone, 'worker'));
    await mkdir(join(clone, 'dependency'));
    await copyFile(new URL('../../worker/bootstrap.mjs', import.meta.url), join(clone, 'worker', 'bootstrap.mjs'));
    await writeFile(join(clone, 'package.json'), JSON.stringify({ name: 'clone', dependencies: { dependency: 'file:dependency' } }));
    await writeFile(join(clone, '.npmrc'), 'install-links=true\noffline=true\n');
    await dependency('1.0.0');
    await promisify(execFile)('npm', ['install', '--package-lock-only'], { cwd: clone });
  });
  after(() => rm(clone, { recursive: true }));

  /** Writes a dependency of this version, with a program that prints it. */
  async function dependency(version: string): Promise<void> {
    await writeFile(join(clone, 'dependency', 'package.json'), JSON.stringify({ name: 'dependency', version, bin: 'run.cjs' }));
    await writeFile(
      join(clone, 'dependency', 'run.cjs'),
      `#!/usr/bin/env node\nconsole.log('version ${version}', process.argv.slice(2));\n`,
    );
  }

  async function bootstrap(...args: string[]): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(process.execPath, [join(clone, 'worker', 'bootstrap.mjs'), ...args], { cwd: tmpdir() }, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
      );
    });
  }

  it('installs once, also when two commands come at the same time, and leaves stdout to the command', async () => {
    const ended = await Promise.all([bootstrap('dependency', 'a b'), bootstrap('dependency', 'a b')]);
    for (const { code, stdout } of ended) {
      assert.equal(code, 0);
      assert.equal(stdout, "version 1.0.0 [ 'a b' ]\n");
    }
    assert.equal(ended.filter(({ stderr }) => stderr.includes('installed the dependencies')).length, 1);
  });

  it('does nothing when everything is there', async () => {
    assert.deepEqual(await bootstrap('dependency'), { code: 0, stdout: 'version 1.0.0 []\n', stderr: '' });
  });

  it('installs again when the lockfile asks for another version, or an install was interrupted', async () => {
    await dependency('2.0.0');
    const lockfile = join(clone, 'package-lock.json');
    await writeFile(lockfile, (await readFile(lockfile, 'utf8')).replace('"version": "1.0.0"', '"version": "2.0.0"'));
    const changed = await bootstrap('dependency');
    assert.equal(changed.stdout, 'version 2.0.0 []\n');
    assert.match(changed.stderr, /node_modules\/dependency differs from package-lock\.json/);
    await rm(join(clone, 'node_modules', '.package-lock.json'));
    assert.match((await bootstrap('dependency')).stderr, /node_modules is missing/);
  });

  it('ends with the exit code of the command', async () => {
    assert.equal((await bootstrap('node', '--eval', 'process.exit(7)')).code, 7);
  });

  it('says what to do when npm fails, and does not run the command', async () => {
    await rm(join(clone, 'node_modules'), { recursive: true });
    await writeFile(join(clone, 'package-lock.json'), '{}');
    const failed = await bootstrap('dependency');
    assert.notEqual(failed.code, 0);
    assert.equal(failed.stdout, '');
    assert.match(failed.stderr, /The dependencies could not be installed; npm says why above/);
  });
});
