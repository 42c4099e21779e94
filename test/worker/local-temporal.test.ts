import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localStatus, startLocal, superviseLocal } from '../../worker/local/index.ts';
import { temporalProgram, temporalVersion } from '../../worker/local/temporal-program.ts';
import { testEnvironment } from '../servers.ts';

describe("finding Temporal's dev server", () => {
  let folder: string;
  let lines: string[];
  const log = (line: string): void => void lines.push(line);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-find-'));
    lines = [];
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function program(path: string, text = 'exit 0'): Promise<string> {
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, `#!/bin/sh\n${text}\n`);
    await chmod(path, 0o755);
    return path;
  }

  /** Nothing on PATH, nothing at home, and a proxy that refuses every download. */
  function bare(change: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    return { PATH: join(folder, 'path'), HOME: join(folder, 'home'), HTTPS_PROXY: 'http://127.0.0.1:9', ...change };
  }

  it('uses the server of TEMPORAL_ADDRESS or of a profile, and starts, watches and keeps nothing', async () => {
    const profiles = join(folder, 'temporal.toml');
    await writeFile(profiles, '[profile.prod]\naddress = "temporal.example:7233"\n');
    const expected = { temporal: { address: 'temporal.example:7233', uiUrl: undefined, started: false, external: true } };
    for (const change of [{ TEMPORAL_ADDRESS: 'temporal.example:7233' }, { TEMPORAL_PROFILE: 'prod', TEMPORAL_CONFIG_FILE: profiles }]) {
      const options = {
        folder,
        project: 'acme',
        log,
        need: { postgres: false, temporal: true },
        environment: { ...testEnvironment(), ...change },
      };
      assert.deepEqual(await startLocal(options), expected);
      assert.deepEqual(await localStatus(folder, options.environment), expected);
      const watch = superviseLocal(options, { signal: AbortSignal.timeout(20), onRestart: () => assert.fail(), every: 1 });
      assert.equal(await watch, 'aborted');
    }
    assert.deepEqual(lines, []);
    const unknown = { ...testEnvironment(), TEMPORAL_PROFILE: 'test', TEMPORAL_CONFIG_FILE: profiles };
    await assert.rejects(
      startLocal({ folder, project: 'acme', log, need: { postgres: false, temporal: true }, environment: unknown }),
      /Temporal's profile can't be read: .*test.*TEMPORAL_PROFILE/,
    );
  });

  it('prefers TEMPORAL_CLI_PATH, then PATH, then the places of installers, then the cache', async () => {
    const cache = join(folder, 'cache');
    const places = [
      await program(join(folder, 'named', 'cli')),
      await program(join(folder, 'path', 'temporal')),
      await program(join(folder, 'home', '.temporalio', 'bin', 'temporal')),
      await program(join(folder, 'home', 'go', 'bin', 'temporal')),
      await program(join(cache, `temporal-${temporalVersion}`)),
    ];
    assert.equal(await temporalProgram(bare({ TEMPORAL_CLI_PATH: places[0] }), cache, log), places[0]);
    for (const place of places.slice(1)) {
      assert.equal(await temporalProgram(bare(), cache, log), place);
      await rm(place);
    }
  });

  it('builds it with Go where the download is refused, once, and keeps it in the cache', async () => {
    const cache = join(folder, 'cache');
    await program(
      join(folder, 'path', 'go'),
      `[ "$1" = version ] || { echo "$@" > ${folder}/asked; echo "#!/bin/sh" > $GOBIN/temporal; /bin/chmod 755 $GOBIN/temporal; }`,
    );
    const found = await temporalProgram(bare(), cache, log);
    assert.equal(found, join(cache, `temporal-${temporalVersion}`));
    assert.match(lines.join('\n'), /building Temporal's dev server with Go, once, about 3 minutes/);
    await rm(join(folder, 'path', 'go'));
    assert.equal(await temporalProgram(bare(), cache, log), found);
    assert.deepEqual(await readdir(cache), [`temporal-${temporalVersion}`]);
  });

  it('says each way that was tried, why it failed, and what to do', async () => {
    await assert.rejects(temporalProgram(bare(), join(folder, 'cache'), log), (error: Error) => {
      assert.match(error.message, /TEMPORAL_ADDRESS or a profile: none set/);
      assert.match(error.message, /TEMPORAL_CLI_PATH: not set/);
      assert.match(error.message, /temporal on PATH, .*: not there/);
      assert.match(error.message, /download by Temporal's SDK: .+/);
      assert.match(error.message, /build with Go: there is no `go` on PATH/);
      assert.match(
        error.message,
        /install the Temporal CLI .*; set TEMPORAL_CLI_PATH .*\n.*go install github.com\/temporalio\/cli\/cmd\/temporal@v1\.5\.1/,
      );
      return true;
    });
    await assert.rejects(
      temporalProgram(bare({ TEMPORAL_CLI_PATH: '/nowhere/temporal' }), folder, log),
      /TEMPORAL_CLI_PATH is \/nowhere\/temporal/,
    );
  });
});
