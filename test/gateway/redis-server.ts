import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Redis } from 'ioredis';

/** A Redis of a test's own. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Holds it up without closing its connections, or lets it go on. */
  hold(held: boolean): void;
  start(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Undefined where the program isn't on this machine; CI must have it. */
export async function startRedis(): Promise<RedisServer | undefined> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let running: ChildProcess | undefined;

  async function start(): Promise<void> {
    const child = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
      stdio: 'ignore',
    });
    await once(child, 'spawn');
    running = child;
    const redis = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
    await redis.ping();
    redis.disconnect();
  }

  async function kill(): Promise<void> {
    if (running === undefined) return;
    const child = running;
    running = undefined;
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  try {
    await start();
  } catch (error) {
    if (process.env['CI'] !== undefined) throw error;
    return undefined;
  }
  return {
    url,
    kill,
    hold: (held) => void running?.kill(held ? 'SIGSTOP' : 'SIGCONT'),
    start,
    [Symbol.asyncDispose]: kill,
  };
}
