import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { makeTelemetryFilterString, Runtime, type Worker } from '@temporalio/worker';
import { z } from 'zod';
import { MillraceError } from '../schema/errors.ts';
import { openHealth, type Health } from './health.ts';
import { choosePort } from './local/ports.ts';
import { createLogger, logLevel, type LogLevelName } from './logs.ts';
import { measureLag, metricsOptions } from './metrics.ts';
import { createScrubber } from './secrets.ts';

export interface TelemetryOptions {
  readonly project: string;
  /** `.millrace` of the project, where the ports are kept. */
  readonly stateFolder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** The level where `MILLRACE_LOG_LEVEL` doesn't say. */
  readonly level: LogLevelName;
  /** Lines for people instead of JSON. */
  readonly pretty: boolean;
  write(line: string): void;
}

/** Logs and metrics of this process. */
export interface Telemetry {
  /** Values that no line of the log may hold; the worker adds secrets as it resolves them. */
  readonly secrets: Set<string>;
  readonly metricsPort: number;
  /** Adds a line to the log. */
  note(message: string): void;
  /** Health and metrics over HTTP, and the lag of streams, for a worker that was opened. */
  observe(open: { readonly worker: Worker; readonly client: Client }): Promise<Health>;
}

const ports = z.object({ metrics: z.int(), health: z.int() });

/** The ports of the last time; one that isn't free any more is replaced. */
async function keptPorts(folder: string): Promise<z.infer<typeof ports>> {
  try {
    return ports.parse(JSON.parse(await readFile(join(folder, 'worker.json'), 'utf8')));
  } catch {
    return { metrics: 9464, health: 9465 };
  }
}

/** A project folder that can't be written, as in a container, only means that the ports aren't kept. */
async function keepPorts(folder: string, chosen: z.infer<typeof ports>): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, 'worker.json'), `${JSON.stringify(chosen)}\n`, { mode: 0o600 });
  } catch {
    return;
  }
}

function portOf(environment: NodeJS.ProcessEnv, name: string): number | undefined {
  const text = environment[name] ?? '';
  if (text === '') return undefined;
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new MillraceError('config', `${name} is ${text}: it must be a port from 1 to 65535`);
}

/** The port that the environment gives, else the one of last time or a free one. */
async function choosePorts({ environment, stateFolder }: TelemetryOptions): Promise<z.infer<typeof ports>> {
  const kept = await keptPorts(stateFolder);
  const quiet = (): void => undefined;
  const metrics = portOf(environment, 'MILLRACE_METRICS_PORT') ?? (await choosePort(kept.metrics, 'metrics', quiet));
  const health = portOf(environment, 'MILLRACE_HEALTH_PORT') ?? (await choosePort(kept.health, 'health', quiet));
  const chosen = { metrics, health: health === metrics ? await choosePort(metrics + 1, 'health', quiet) : health };
  await keepPorts(stateFolder, chosen);
  return chosen;
}

/** Installs the logs and metrics of this process; once, before the first worker or connection. Signals stay the caller's. */
export async function installTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { environment, project } = options;
  const secrets = new Set<string>();
  const chosen = await choosePorts(options);
  Runtime.install({
    logger: createLogger({
      project,
      level: logLevel(environment, options.level),
      pretty: options.pretty,
      scrub: (text) => createScrubber(escapedToo(secrets))(text),
      write: (line) => options.write(line),
    }),
    telemetryOptions: {
      // What core warns of, the worker says better.
      logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }), forward: {} },
      metrics: metricsOptions(project, chosen.metrics),
    },
    shutdownSignals: [],
  });
  return {
    secrets,
    metricsPort: chosen.metrics,
    note: (message) => void Runtime.instance().logger.info(message),
    async observe({ worker, client }) {
      const health = await openHealth({
        host: environment['MILLRACE_HEALTH_HOST'] ?? '127.0.0.1',
        port: chosen.health,
        metricsPort: chosen.metrics,
        state: () => worker.getState(),
        ping: async () => void (await client.workflowService.getSystemInfo({})),
      });
      Runtime.instance().logger.info('health and metrics are served', { port: health.port, metricsPort: chosen.metrics });
      const lag = measureLag(client, project);
      return {
        port: health.port,
        async [Symbol.asyncDispose]() {
          lag[Symbol.dispose]();
          await health[Symbol.asyncDispose]();
        },
      };
    },
  };
}

/** Secrets as they are, and as JSON writes them. */
function* escapedToo(secrets: Iterable<string>): Iterable<string> {
  for (const secret of secrets) {
    yield secret;
    yield JSON.stringify(secret).slice(1, -1);
  }
}
