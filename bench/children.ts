import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeLocal } from '../worker/local/index.ts';

/** The project's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** Starts a Node process; ends when it has printed what `ready` matches, and gives that. */
export async function start(args: readonly string[], environment: NodeJS.ProcessEnv, ready: RegExp): Promise<[string, ChildProcess]> {
  const child = spawn(process.execPath, [...args], { env: environment, cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const found = ready.exec(line)?.[0];
    if (found === undefined) continue;
    child.stdout.resume();
    return [found, child];
  }
  throw new Error(`${args.join(' ')} did not start`);
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
  await rm(folder, { recursive: true, force: true });
}
