import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can hold connections before the server hears of them, and cut those. */
export interface Relay extends AsyncDisposable {
  readonly url: string;
  /** Connections that were passed on. */
  readonly taken: number;
  /** Connections that are held. */
  readonly held: number;
  hold(): void;
  /** Passes on what comes from now; what is held stays held. */
  goOn(): void;
  cutHeld(): void;
}

export async function startRelay(server: string): Promise<Relay> {
  const to = new URL(server);
  const held = new Set<Socket>();
  const open = new Set<Socket>();
  let taken = 0;
  let holding = false;
  const keep = (socket: Socket, among: Set<Socket>): void => {
    among.add(socket);
    socket.on('error', () => undefined).on('close', () => among.delete(socket));
  };
  const listener = createServer((from) => {
    if (holding) return keep(from, held);
    taken++;
    const on = connect(Number(to.port || 5432), to.hostname);
    for (const socket of [from, on]) keep(socket, open);
    from.on('close', () => on.destroy()).pipe(on);
    on.on('close', () => from.destroy()).pipe(from);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const url = new URL(server);
  url.hostname = '127.0.0.1';
  url.port = String((listener.address() as AddressInfo).port);
  const cut = (sockets: Set<Socket>): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  return {
    url: url.href,
    get taken() {
      return taken;
    },
    get held() {
      return held.size;
    },
    hold: () => void (holding = true),
    goOn: () => void (holding = false),
    cutHeld: () => cut(held),
    [Symbol.asyncDispose]: async () => {
      cut(held);
      cut(open);
      listener.close();
      await once(listener, 'close');
    },
  };
}
