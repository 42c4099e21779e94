import { execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, constants, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MillraceError } from '../../schema/errors.ts';
import { withLock } from './lock.ts';

/** The release of Temporal's command line program, which holds the dev server, that is fetched where none is installed. */
export const temporalVersion = 'v1.5.1';

const goPackage = `github.com/temporalio/cli/cmd/temporal@${temporalVersion}`;
const silenceSeconds = 20;
const progressMilliseconds = 5000;

/**
 * The program that starts the dev server: TEMPORAL_CLI_PATH, `temporal` on PATH or where its installers put it, the cache, the SDK's own
 * download, or a build with Go.
 * @throws MillraceError `unavailable`, with every way that was tried and its failure
 */
export async function temporalProgram(environment: NodeJS.ProcessEnv, cache: string, log: (line: string) => void): Promise<string> {
  const named = environment['TEMPORAL_CLI_PATH'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new MillraceError('config', `TEMPORAL_CLI_PATH is ${named}, which is not a program that can be run.`);
  }
  const cached = join(cache, `temporal-${temporalVersion}`);
  const found = await firstExecutable([...installed(environment), cached]);
  if (found !== undefined) return found;
  return withLock(
    `${cached}.lock`,
    (holder) => log(`waiting for process ${holder}, which is fetching Temporal's dev server`),
    async () => ((await isExecutable(cached)) ? cached : fetchProgram(environment, cache, cached, log)),
  );
}

function installed(environment: NodeJS.ProcessEnv): string[] {
  const home = environment['HOME'] ?? homedir();
  const folders = (environment['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...folders, join(home, '.temporalio', 'bin'), join(home, 'go', 'bin')].map((folder) => join(folder, 'temporal'));
}

async function fetchProgram(environment: NodeJS.ProcessEnv, cache: string, cached: string, log: (line: string) => void): Promise<string> {
  const failures: string[] = [];
  for (const [way, fetchTo] of [
    ["download by Temporal's SDK", download],
    ['build with Go', build],
  ] as const) {
    const folder = join(cache, `fetch-${process.pid}`);
    await mkdir(folder, { recursive: true });
    try {
      await rename(await fetchTo(folder, environment, log), cached);
      return cached;
    } catch (error) {
      failures.push(`- ${way}: ${error instanceof Error ? error.message.trim() : String(error)}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  throw new MillraceError(
    'unavailable',
    [
      "Temporal's dev server is not on this machine and could not be fetched:",
      '- TEMPORAL_ADDRESS or a profile: none set',
      '- TEMPORAL_CLI_PATH: not set',
      `- temporal on PATH, in ~/.temporalio/bin, in ~/go/bin or in ${cache}: not there`,
      ...failures,
      'Do one of these: install the Temporal CLI (https://docs.temporal.io/cli) so that `temporal` is on PATH; set TEMPORAL_CLI_PATH to it;',
      `install Go and run: go install ${goPackage}; or set TEMPORAL_ADDRESS to a server that runs elsewhere.`,
    ].join('\n'),
  );
}

/** In a process of its own, because the SDK's runtime can be set up only once in one. Ends the download when no byte comes. */
async function download(folder: string, environment: NodeJS.ProcessEnv, log: (line: string) => void): Promise<string> {
  log(`downloading Temporal's dev server ${temporalVersion}, once`);
  const script = fileURLToPath(new URL(`./temporal-download${extname(import.meta.url)}`, import.meta.url));
  const child = fork(script, [folder, temporalVersion], { env: environment, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes: Buffer) => output.push(bytes.toString()));
  const watch = watchDownload(folder, log, () => {
    output.push(`no answer within ${silenceSeconds} seconds`);
    child.kill('SIGKILL');
  });
  await once(child, 'exit').finally(() => clearInterval(watch));
  const file = (await readdir(folder)).find((name) => name.startsWith('temporal') && extname(name) !== '.downloading');
  if (file !== undefined && (await isExecutable(join(folder, file)))) return join(folder, file);
  throw new Error(output.join('').trim().split('\n').at(-1) ?? 'failed');
}

function watchDownload(folder: string, log: (line: string) => void, giveUp: () => void): NodeJS.Timeout {
  let bytes = 0;
  let changed = Date.now();
  const look = async (): Promise<void> => {
    const names = await readdir(folder);
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0));
    const now = Math.max(0, ...sizes);
    if (now > bytes) {
      log(`downloading Temporal's dev server: ${Math.round(now / 1e6)} MB`);
      changed = Date.now();
    }
    bytes = now;
    if (Date.now() - changed > silenceSeconds * 1000) giveUp();
  };
  return setInterval(() => void look().catch(() => undefined), progressMilliseconds);
}

async function build(folder: string, environment: NodeJS.ProcessEnv, log: (line: string) => void): Promise<string> {
  await promisify(execFile)('go', ['version'], { env: environment }).catch(() => {
    throw new Error('there is no `go` on PATH');
  });
  const begun = Date.now();
  const tell = (): void =>
    log(`building Temporal's dev server with Go, once, about 3 minutes on 2 cores: ${Math.round((Date.now() - begun) / 1000)} s`);
  tell();
  const progress = setInterval(tell, progressMilliseconds);
  try {
    const child = spawn('go', ['install', goPackage], {
      cwd: folder,
      env: { ...environment, GOBIN: folder },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const output: string[] = [];
    child.stderr.on('data', (bytes: Buffer) => output.push(bytes.toString()));
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(output.join('').trim().split('\n').slice(-3).join(' '));
    return join(folder, 'temporal');
  } finally {
    clearInterval(progress);
  }
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isExecutable(path)) return path;
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
