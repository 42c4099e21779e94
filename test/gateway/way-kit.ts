import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a PostgreSQL server that can be closed. */
export interface Way {
  readonly url: string;
  /** Bytes go nowhere, and nobody is told. */
  pause(): void;
  resume(): void;
  /** Connections break, and new ones do too. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function openWay(database: string): Promise<Way> {
  const target = new URL(database);
  const sockets = new Set<Socket>();
  let [isPaused, isCut] = [false, false];
  const server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(Number(target.port || '5432'), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => void to.write(bytes)).on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      if (isPaused) from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(database);
  url.hostname = '127.0.0.1';
  url.port = `${(server.address() as AddressInfo).port}`;
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: url.href,
    pause() {
      isPaused = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      isPaused = false;
      for (const socket of sockets) socket.resume();
    },
    cut,
    mend: () => void (isCut = false),
    async close() {
      cut();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
