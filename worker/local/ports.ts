import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { waitUntil } from './processes.ts';

const loopback = '127.0.0.1';
const releaseSeconds = 1;

/** Says whether a port of the loopback interface can be listened on. */
async function isPortFree(port: number): Promise<boolean> {
  return (await canListen(port)) !== undefined && !(await answers(port));
}

/**
 * The wanted port where it is free, else one that the system gives; then the line says so. Waits a moment for a process that is just ending.
 * @param purpose what the port is for, as the log line names it
 */
export async function choosePort(wanted: number, purpose: string, log: (line: string) => void): Promise<number> {
  if (await waitUntil(() => isPortFree(wanted), releaseSeconds)) return wanted;
  const port = (await canListen(0)) ?? 0;
  log(`port ${wanted} is in use by something else; ${purpose} takes ${port}`);
  return port;
}

async function canListen(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen({ port, host: loopback, exclusive: true });
    await once(server, 'listening');
    const address = server.address();
    return address === null || typeof address === 'string' ? undefined : address.port;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}

/** A listener on all interfaces can hide behind a successful bind on some systems, but it answers. */
async function answers(port: number): Promise<boolean> {
  const socket = connect({ port, host: loopback });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(1000) });
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
