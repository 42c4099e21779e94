// Sets up a fresh clone, then runs the command given: `node worker/bootstrap.mjs <command> [arguments]`.
// Plain JavaScript without dependencies, because it runs before there are any. Writes to stderr only, so that the command's output stays its own.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lock = join(root, '.millrace', 'set-up.lock');

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function mayBeMissing(path, entry) {
  return path === '' || entry.optional || entry.devOptional || entry.peer;
}

/** Says what is installed otherwise than the lockfile wants; npm writes its own record last, so an interrupted install has none. */
function findDifference() {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {};
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'))?.packages;
  if (installed === undefined) return 'node_modules is missing';
  const isRight = ([path, entry]) =>
    installed[path] === undefined ? mayBeMissing(path, entry) : installed[path].version === entry.version;
  const wrong = Object.entries(wanted).find((entry) => !isRight(entry));
  return wrong && `${wrong[0]} differs from package-lock.json`;
}

function checkNode() {
  const wanted = readJson(join(root, 'package.json'))?.engines?.node?.replace('>=', '') ?? '0.0';
  const [major, minor] = wanted.split('.').map(Number);
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= (minor ?? 0))) return;
  console.error(`Millrace needs Node ${wanted} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** The process that installs; one that died before it could write its id is taken for a dead one after a while. */
function readHolder() {
  try {
    const holder = Number(readFileSync(lock, 'utf8'));
    if (holder > 0) return holder;
    return Date.now() - statSync(lock).mtimeMs > 5000 ? 2 ** 30 : undefined;
  } catch {
    return undefined;
  }
}

/** Only one process installs; another waits and looks again. */
async function acquireLock() {
  mkdirSync(dirname(lock), { recursive: true, mode: 0o700 });
  for (let told = false; ; told = true) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = readHolder();
    if (holder !== undefined && !isAlive(holder)) rmSync(lock, { force: true });
    else if (!told) console.error('waiting for another process, which installs the dependencies');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function install(difference) {
  console.error(`installing the dependencies with npm ci, about a minute (${difference})`);
  const begun = Date.now();
  const seconds = () => Math.round((Date.now() - begun) / 1000);
  const progress = setInterval(() => console.error(`installing the dependencies: ${seconds()} s`), 10_000);
  const npm = process.env.npm_execpath;
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=warn'];
  const [program, before] = npm !== undefined && /npm-cli\.c?js$/.test(npm) ? [process.execPath, [npm]] : ['npm', []];
  const code = await run(program, [...before, ...args], ['ignore', 2, 2]);
  clearInterval(progress);
  if (code === 0) return console.error(`installed the dependencies in ${seconds()} s`);
  console.error(
    'The dependencies could not be installed; npm says why above. Check the network and the registry that npm uses (npm config get registry).',
  );
  process.exitCode = code;
  return undefined;
}

/** Runs a program to its end; signals sent to this process alone are passed on, a terminal sends its own to both. */
function run(program, args, stdio) {
  return new Promise((resolve) => {
    const bin = join(root, 'node_modules', '.bin');
    const child = spawn(program, args, {
      stdio,
      shell: process.platform === 'win32' && program !== process.execPath,
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
    });
    const pass = (signal) => child.kill(signal);
    const passUnlessTerminal = (signal) => process.stdin.isTTY || child.kill(signal);
    process.on('SIGTERM', pass).on('SIGHUP', pass).on('SIGINT', passUnlessTerminal);
    const end = (code) => {
      process.off('SIGTERM', pass).off('SIGHUP', pass).off('SIGINT', passUnlessTerminal);
      resolve(code);
    };
    child.on('error', (error) => {
      console.error(`${program} can't be started: ${error.message}`);
      end(127);
    });
    child.on('exit', (code, signal) => end(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

checkNode();
process.chdir(root);
if (findDifference() !== undefined) {
  await acquireLock();
  try {
    const difference = findDifference();
    if (difference !== undefined) await install(difference);
  } finally {
    rmSync(lock, { force: true });
  }
}
const [command, ...args] = process.argv.slice(2);
if (process.exitCode === undefined && command !== undefined) {
  process.exitCode = await run(command === 'node' ? process.execPath : command, args, 'inherit');
}
