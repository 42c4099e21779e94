import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Account } from './account.ts';

/** A process that is told apart from a later one with the same id by the moment of its birth. */
export interface ProcessReference {
  readonly pid: number;
  readonly born: string;
}

/** Gives the reference of a living process, `undefined` where there is none (a zombie counts as none). */
export async function findProcess(pid: number): Promise<ProcessReference | undefined> {
  const born = process.platform === 'linux' ? await bornOnLinux(pid) : await bornElsewhere(pid);
  return born === undefined ? undefined : { pid, born };
}

/** Says whether exactly this process is alive. */
export async function isAlive(reference: ProcessReference | undefined): Promise<boolean> {
  return reference !== undefined && (await findProcess(reference.pid))?.born === reference.born;
}

/** The words of a process's command line; none where it can't be read. */
export async function commandLine(pid: number): Promise<string[]> {
  if (process.platform !== 'linux') return ((await ps(['-o', 'command=', '-p', String(pid)]))[0] ?? '').split(/\s+/);
  const bytes = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return bytes.split('\0').slice(0, -1);
}

/** Living processes whose command line the question accepts: servers that nobody remembers are found by their data. */
export async function findByCommand(accepts: (words: readonly string[]) => boolean): Promise<ProcessReference[]> {
  const pids = process.platform === 'linux' ? await readdir('/proc') : (await ps(['-axo', 'pid='])).map((line) => line.trim());
  const found: ProcessReference[] = [];
  for (const pid of pids.filter((name) => /^\d+$/.test(name)).map(Number)) {
    if (pid === process.pid || !accepts(await commandLine(pid))) continue;
    const reference = await findProcess(pid);
    if (reference !== undefined) found.push(reference);
  }
  return found;
}

async function bornOnLinux(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The command's name stands in parentheses and may hold anything; state is the first field behind it, start time the 20th (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return `${boot.slice(0, 8)}:${fields[19]}`;
}

async function bornElsewhere(pid: number): Promise<string | undefined> {
  const [line] = await ps(['-o', 'stat=,lstart=', '-p', String(pid)]);
  return line === undefined || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
}

async function ps(args: readonly string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', args).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter((line) => line.trim() !== '');
}

/** How a server process is started. */
export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** The file that takes its output. */
  readonly log: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The account it runs under, when not ours. */
  readonly account?: Account | undefined;
}

/** Starts a server in the background: a process group of its own, output to a file, outliving this process. */
export async function startInBackground(command: ServerCommand): Promise<ProcessReference> {
  const log = openSync(command.log, 'a', 0o600);
  try {
    const child = spawn(command.program, command.args, {
      cwd: '/',
      detached: true,
      env: command.environment,
      stdio: ['ignore', log, log],
      ...(command.account === undefined ? {} : { uid: command.account.uid, gid: command.account.gid }),
    });
    await once(child, 'spawn');
    child.unref();
    const pid = child.pid ?? 0;
    return (await findProcess(pid)) ?? { pid, born: 'gone' };
  } finally {
    closeSync(log);
  }
}

/** Ends a process: each signal in turn until it is gone, waiting `graceSeconds` after each. */
export async function endProcess(reference: ProcessReference, signals: readonly NodeJS.Signals[], graceSeconds: number): Promise<void> {
  for (const signal of signals) {
    if (!(await isAlive(reference))) return;
    try {
      process.kill(reference.pid, signal);
    } catch {
      continue;
    }
    if (await waitUntil(async () => !(await isAlive(reference)), graceSeconds)) return;
  }
}

/** Asks again and again until the answer is yes, and says whether it was within the time given. */
export async function waitUntil(question: () => Promise<boolean>, seconds: number): Promise<boolean> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    if (await question()) return true;
    if (Date.now() >= end) return false;
    await sleep(50);
  }
}
