import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { testEnvironment } from '../servers.ts';

const cli = fileURLToPath(new URL('../../client/cli.ts', import.meta.url));
const loader = import.meta.resolve('tsx');

/** util-linux gives a command a terminal of its own. */
const recorder = '/usr/bin/script';
/** Without it tests of the terminal are left out. */
export const hasTerminal = process.platform === 'linux' && existsSync(recorder);

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that was started. */
export interface Started {
  readonly child: ChildProcess;
  /** What it has written so far, of both streams. */
  written(): string;
  /** Waits until it has written a text; fails when it ends before. */
  until(text: string): Promise<void>;
  readonly ended: Promise<Ended>;
}

export interface Place {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts `millrace` without a terminal. */
export function start({ folder, environment }: Place, args: readonly string[]): Started {
  return started(spawn(process.execPath, ['--import', loader, cli, ...args], { cwd: folder, env: environmentOf(environment) }));
}

/** Runs `millrace` without a terminal, to its end. */
export const run = (place: Place, ...args: readonly string[]): Promise<Ended> => start(place, args).ended;

/** Starts `millrace` in a terminal of its own; standard error is in standard output then. */
export function startInTerminal({ folder, environment }: Place, args: readonly string[]): Started {
  const line = [process.execPath, '--import', loader, cli, ...args].map((part) => `'${part.replaceAll("'", `'\\''`)}'`).join(' ');
  const env = { ...environmentOf(environment), TERM: 'xterm', COLUMNS: '140', LINES: '40' };
  return started(spawn(recorder, ['-qec', `stty cols 140 rows 40; ${line}`, '/dev/null'], { cwd: folder, env }));
}

function environmentOf(environment: Place['environment']): NodeJS.ProcessEnv {
  const { CI: _, ...rest } = testEnvironment();
  return { ...rest, ...environment };
}

function started(child: ChildProcess): Started {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: typeof code === 'number' ? code : null, stdout, stderr }));
  let over = false;
  void ended.then(() => (over = true));
  const written = (): string => stdout + stderr;
  return {
    child,
    ended,
    written,
    async until(text) {
      while (!written().includes(text)) {
        if (over) throw new Error(`ended without ${JSON.stringify(text)}:\n${written()}`);
        await sleep(20);
      }
    },
  };
}
