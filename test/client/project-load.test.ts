import assert from 'node:assert/strict';
import { join } from 'node:path';
import { toDefinitions } from '../../client/project/definitions.ts';
import { loadProject } from '../../client/project/load.ts';
import { loadEnvFile } from '../../client/project/variables.ts';
import { filesProject, folderWith } from './project-kit.ts';

const yaml = filesProject('mode: replace\nmax_rejected: 5%\ntransform:\n  - nullif: ["", N/A]');
const config = `import { defineProject } from 'millrace';

const path: string = './data';

export default defineProject({
  project: 'acme',
  connections: {
    shop: { type: 'postgres', url: '\${env:SHOP_URL}' },
    drops: { type: 'files', path },
    warehouse: { type: 'postgres', url: '\${env:WAREHOUSE_URL}' },
    ops: { type: 'webhook', url: '\${env:OPS_URL:-}' },
  },
  pipelines: {
    films: {
      from: 'drops',
      to: 'warehouse.films',
      streams: { 'movies.csv': { mode: 'replace', max_rejected: '5%', transform: [{ nullif: ['', 'N/A'] }] } },
    },
  },
});
`;

describe('project file: loading', () => {
  it('is found in the folder or one above, with .env beside it', async () => {
    await using folder = await folderWith({ 'millrace.yaml': yaml, '.env': 'A=1\n', 'a/b/c.txt': '' });
    const loaded = await loadProject({ cwd: join(folder.path, 'a/b') });
    assert.deepEqual(
      { name: loaded.name, file: loaded.file, folder: loaded.folder, stateFolder: loaded.stateFolder, envFile: loaded.envFile },
      {
        name: 'acme',
        file: join(folder.path, 'millrace.yaml'),
        folder: folder.path,
        stateFolder: join(folder.path, '.millrace'),
        envFile: join(folder.path, '.env'),
      },
    );
  });

  it('in TypeScript means the same as in YAML', async () => {
    await using folder = await folderWith({ 'a.yaml': yaml, 'millrace.config.ts': config });
    const typed = toDefinitions(await loadProject({ cwd: folder.path }));
    assert.deepEqual(typed, toDefinitions(await loadProject({ cwd: folder.path, file: 'a.yaml' })));
  });

  it('in TypeScript has the same errors, by path', async () => {
    await using folder = await folderWith({ 'millrace.config.ts': config.replace("'replace'", "'replcae' as 'replace'") });
    await assert.rejects(loadProject({ cwd: folder.path }), /streams\["movies\.csv"\]\.mode must be .*Did you mean "replace"\?/);
  });

  it('in TypeScript that throws says so', async () => {
    await using folder = await folderWith({ 'millrace.config.ts': "throw new Error('no luck');" });
    await assert.rejects(loadProject({ cwd: folder.path }), { code: 'config', message: /could not be run: no luck/ });
  });

  it('that is missing is not-found, with what to do', async () => {
    await using folder = await folderWith({});
    await assert.rejects(loadProject({ cwd: folder.path }), { code: 'not-found', message: /"millrace init" writes one/ });
    await assert.rejects(loadProject({ cwd: folder.path, file: 'x.yaml' }), {
      code: 'not-found',
      message: /There is no project file .*x\.yaml/,
    });
  });

  it('that is there in both forms is refused', async () => {
    await using folder = await folderWith({ 'millrace.yaml': yaml, 'millrace.config.ts': config });
    await assert.rejects(loadProject({ cwd: folder.path }), { code: 'config', message: /has millrace\.yaml and millrace\.config\.ts/ });
  });

  it('takes another file of variables in place of .env, which must exist', async () => {
    await using folder = await folderWith({ 'millrace.yaml': yaml, '.env': '', 'stage.env': '' });
    assert.equal((await loadProject({ cwd: folder.path, envFile: 'stage.env' })).envFile, join(folder.path, 'stage.env'));
    await assert.rejects(loadProject({ cwd: folder.path, envFile: 'prod.env' }), { code: 'not-found' });
  });

  it('a file of variables never wins over what is set', async () => {
    await using folder = await folderWith({ '.env': '# comment\nA=1\nB="two words"\nexport C=3\n' });
    const environment: NodeJS.ProcessEnv = { A: 'set' };
    await loadEnvFile(join(folder.path, '.env'), environment);
    assert.deepEqual(environment, { A: 'set', B: 'two words', C: '3' });
  });
});
