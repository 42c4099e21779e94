import { setMaxListeners } from 'node:events';
import type { Server } from 'node:http';
import type { FastifyInstance } from 'fastify';

export interface DrainTimes {
  /** Milliseconds in which `/readyz` says 503 and requests are still taken, so that whoever sends them hears of it. */
  readonly notice: number;
  /** Milliseconds after which what is still under way is cut off. */
  readonly longest: number;
}

export interface Drain {
  readonly isDraining: boolean;
  /** Aborted when draining begins: streams end then. */
  readonly signal: AbortSignal;
  /** Ends the server; rejects never. Calling it again waits for the same end. */
  close(): Promise<void>;
}

const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, milliseconds));

/** Ends the server without breaking off an answer, unless it takes too long. */
export function prepareDrain(server: FastifyInstance, sockets: () => readonly Server[], { notice, longest }: DrainTimes): Drain {
  const ending = new AbortController();
  // Each stream listens.
  setMaxListeners(0, ending.signal);
  let isDraining = false;
  let closed: Promise<void> | undefined;

  server.addHook('onSend', (_request, reply, _payload, done) => {
    // From the notice on: a connection that is kept open would be cut off as the next request is written.
    if (isDraining) void reply.header('connection', 'close');
    done();
  });

  async function end(): Promise<void> {
    isDraining = true;
    await wait(notice);
    ending.abort();
    const cut = setTimeout(() => sockets().forEach((one) => one.closeAllConnections()), longest);
    const idle = setInterval(() => sockets().forEach((one) => one.closeIdleConnections()), 100);
    try {
      await server.close();
    } finally {
      clearTimeout(cut);
      clearInterval(idle);
    }
  }

  return {
    get isDraining() {
      return isDraining;
    },
    signal: ending.signal,
    close: () => (closed ??= end()),
  };
}
