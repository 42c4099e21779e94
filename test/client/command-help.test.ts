import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, type Place } from './command-kit.ts';

const names = readdirSync(new URL('../../client/commands/', import.meta.url)).map((file) => file.replace('.ts', ''));

describe('millrace, before a server is asked', function () {
  this.timeout(30_000);
  let place: Place;

  before(async () => {
    place = { folder: await mkdtemp(join(tmpdir(), 'millrace-command-')), environment: {} };
  });
  after(() => rm(place.folder, { recursive: true, force: true }));

  it('lists every command in its help', async () => {
    const { code, stdout } = await run(place, '--help');
    assert.equal(code, 0);
    for (const name of names) assert.match(stdout, new RegExp(`^ +${name} `, 'm'));
  });

  for (const name of names) {
    it(`explains ${name} with examples`, async () => {
      const module: unknown = await import(`../../client/commands/${name}.ts`);
      assert.ok(typeof module === 'object' && module !== null && 'command' in module && typeof module.command === 'function');
      const command = module.command();
      let text = '';
      command.configureOutput({ writeOut: (part: string) => (text += part) }).outputHelp();
      assert.match(text, new RegExp(`Examples:\n.*millrace ${name}`, 's'));
    });
  }

  it('refuses what it does not know with a sentence and exit code 2', async () => {
    const [command, option, argument] = await Promise.all([run(place, 'rum'), run(place, 'run', 'shop', '--ful'), run(place, 'run')]);
    assert.deepEqual([command.code, option.code, argument.code], [2, 2, 2]);
    assert.match(command.stderr, /unknown command 'rum'\s+\(Did you mean run\?\)/);
    assert.match(option.stderr, /unknown option '--ful'/);
    assert.match(argument.stderr, /missing required argument 'name'/);
    for (const { stdout } of [command, option, argument]) assert.equal(stdout, '');
  });

  it('says where a project file was looked for', async () => {
    const { code, stderr } = await run(place, 'status');
    assert.equal(code, 2);
    assert.match(stderr, /^millrace: There is no millrace\.yaml .* "millrace init" writes one\.\n$/);
  });

  it('writes a first project once, and never over one that is there', async () => {
    const first = await run(place, 'init', '.', '--name', 'first');
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /Next:\n +millrace run films/);
    const text = await readFile(join(place.folder, 'millrace.yaml'), 'utf8');
    assert.match(text, /^# yaml-language-server: \$schema=\.\/\.millrace\/millrace\.schema\.json\n/);
    assert.match(await readFile(join(place.folder, '.gitignore'), 'utf8'), /^\.env\n\.millrace\/\n$/);
    const again = await run(place, 'init');
    assert.equal(again.code, 2);
    assert.match(again.stderr, /is there already: it stays as it is/);
    assert.equal(await readFile(join(place.folder, 'millrace.yaml'), 'utf8'), text);
  });

  it('shows a typo in the project file with its line and the nearest name, without a stack', async () => {
    const path = join(place.folder, 'millrace.yaml');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('mode: replace', 'mode: replac'));
    const { code, stderr } = await run(place, 'apply');
    await writeFile(path, text);
    assert.equal(code, 2);
    assert.match(stderr, /millrace\.yaml:\d+:\d+: pipelines\.films.*Did you mean "replace"\?/);
    assert.doesNotMatch(stderr, / at .*\.ts:/);
  });

  it('says that no Temporal server is up, and what to do', async () => {
    const { code, stderr } = await run(place, 'status');
    assert.equal(code, 1);
    assert.match(stderr, /No Temporal server is up for first: start one with millrace up, or set TEMPORAL_ADDRESS/);
  });

  it('names the Temporal server that does not answer', async () => {
    const { code, stderr } = await run({ ...place, environment: { TEMPORAL_ADDRESS: '127.0.0.1:1' } }, 'status');
    assert.equal(code, 1);
    assert.match(stderr, /the Temporal server at 127\.0\.0\.1:1 does not answer/);
  });
});
