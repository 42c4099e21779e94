import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeLocal } from '../worker/local/index.ts';

/** The project's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** What the processes log, which nobody needs to see while they are measured. */
const errors = join(tmpdir(), `millrace-bench-${process.pid}.log`);

/** Starts a Node process; ends when it has printed what `ready` matches, and gives that. */
export async function start(args: readonly string[], environment: NodeJS.ProcessEnv, ready: RegExp): Promise<[string, ChildProcess]> {
  const child = spawn(process.execPath, [...args], { env: environment, cwd: root, stdio: ['ignore', 'pipe', openSync(errors, 'a')] });
  const { stdout } = child;
  if (stdout === null) throw new Error('a child has an output');
  for await (const line of createInterface({ input: stdout })) {
    const found = ready.exec(line)?.[0];
    if (found === undefined) continue;
    stdout.resume();
    return [found, child];
  }
  throw new Error(`${args.join(' ')} did not start: ${(await readFile(errors, 'utf8')).slice(-2000)}`);
}

/** The most memory that a process has held, in MB. */
export const peakOf = async (child: ChildProcess): Promise<number> =>
  Math.round(Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);

/** Ends the processes, and deletes what the local servers stored. */
export async function cleanUp(children: readonly ChildProcess[], folder: string): Promise<void> {
  for (const child of children) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  await removeLocal(folder);
  await Promise.all([rm(folder, { recursive: true, force: true }), rm(errors, { force: true })]);
}
