import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order } from './faulty-worker.ts';

/** A worker in a process of its own. */
export interface WorkerProcess<Asked extends object = Order> extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Asks for something and waits until it is done. */
  ask(order: Asked): Promise<void>;
  /** True once the process is gone. */
  readonly gone: () => boolean;
}

interface Answer {
  readonly no: number;
  readonly error?: string;
}

/** Starts a worker process, of a file beside this one; it opens nothing before it is asked to. */
export function startWorkerProcess<Asked extends object = Order>(file = './faulty-worker.ts'): WorkerProcess<Asked> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), { execArgv: ['--import=tsx'] });
  const waiting = new Map<number, (answer: Answer) => void>();
  child.on('message', (answer: Answer) => waiting.get(answer.no)?.(answer));
  child.on('exit', () => waiting.forEach((answer, no) => answer({ no, error: 'the process ended' })));
  let no = 0;
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    child,
    gone,
    async ask(order) {
      no += 1;
      const asked = { ...order, no };
      const answer = await new Promise<Answer>((resolve) => {
        waiting.set(asked.no, resolve);
        child.send(asked);
      });
      waiting.delete(asked.no);
      if (answer.error !== undefined) throw new Error(answer.error);
    },
    async [Symbol.asyncDispose]() {
      if (gone()) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}
