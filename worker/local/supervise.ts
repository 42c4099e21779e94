import { realpath } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalOptions, LocalServers } from './options.ts';
import { isAlive } from './processes.ts';
import { restartDied } from './servers.ts';
import { readState, type LocalServer } from './state.ts';
import { externalTemporal } from './temporal.ts';

/** How the watch over the servers is kept. */
export interface Supervision {
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Called after a server that died answers again, on the same port and data. */
  readonly onRestart: (server: LocalServer, servers: LocalServers) => void;
  /** Milliseconds between two looks; 2000 when not given. */
  readonly every?: number;
}

/**
 * Watches the servers that `startLocal` gave and starts one that died again, until the signal, or until somebody stopped them on purpose.
 * A start that fails is logged and tried again.
 * @returns `aborted` by the signal, or `stopped` by `stopLocal`, from here or from another process
 */
export async function superviseLocal(options: LocalOptions, supervision: Supervision): Promise<'aborted' | 'stopped'> {
  const folder = await realpath(options.folder);
  const { signal, every = 2000 } = supervision;
  while (!signal.aborted) {
    await sleep(every, undefined, { signal }).catch(() => undefined);
    for (const server of watched(options)) {
      if (signal.aborted) return 'aborted';
      const kept = await readState(folder, server);
      if (kept?.process === undefined) return 'stopped';
      if (!(await isAlive(kept.process))) await restart(server, options, supervision);
    }
  }
  return 'aborted';
}

function watched(options: LocalOptions): LocalServer[] {
  const external = externalTemporal(options.environment ?? process.env) !== undefined;
  return [
    ...(options.need.postgres ? (['postgres'] as const) : []),
    ...(options.need.temporal && !external ? (['temporal'] as const) : []),
  ];
}

async function restart(server: LocalServer, options: LocalOptions, supervision: Supervision): Promise<void> {
  options.log(`${serverNames[server]} has died; starting it again`);
  try {
    const servers = await restartDied(server, options);
    if (servers !== undefined) supervision.onRestart(server, servers);
  } catch (error) {
    options.log(`${serverNames[server]} can't be started: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const serverNames: Readonly<Record<LocalServer, string>> = { postgres: 'the local PostgreSQL', temporal: "Temporal's dev server" };
