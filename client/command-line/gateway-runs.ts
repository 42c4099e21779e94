import type { Client } from '@temporalio/client';
import type { Runs } from '../../gateway/context.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import { startRun, plainSync, type StartOptions } from '../runs.ts';
import { loadsEvents } from '../ingest-standing.ts';
import { ingestWaker, wakeIngest } from '../wake-ingest.ts';
import { outgoingWebhook, wakeWebhook } from '../wake-webhook.ts';
import { named, type OpenProject } from './project.ts';
import { connect, findServers, type Connected } from './servers.ts';

/** After an attempt that failed, the next one is made no sooner. */
const pause = 5000;

/** A Temporal server that may come later than the gateway, and is connected to when it is needed first. */
export class LaterTemporal implements AsyncDisposable {
  readonly #project: OpenProject;
  #connected: Promise<Connected> | undefined;
  #triedAt = -Infinity;
  #closed = false;

  constructor(project: OpenProject) {
    this.#project = project;
  }

  /** Throws `unavailable` while there is none. */
  async client(): Promise<Client> {
    if (this.#connected === undefined || Date.now() - this.#triedAt > pause) this.#try();
    const connected = await this.#connected;
    if (connected === undefined) throw new MillraceError('unavailable', 'The gateway is stopping.');
    return connected.client;
  }

  #try(): void {
    if (this.#closed) return;
    const before = this.#connected;
    const connecting = before === undefined ? this.#connect() : before.catch(async () => await this.#connect());
    connecting.catch(() => undefined);
    this.#connected = connecting;
    this.#triedAt = Date.now();
  }

  async #connect(): Promise<Connected> {
    const servers = await findServers(this.#project);
    if (servers.temporal !== undefined) return await connect(servers);
    throw new MillraceError(
      'unavailable',
      `No Temporal server is up for ${this.#project.name}: start one with millrace up, or set TEMPORAL_ADDRESS (or a profile of temporal.toml).`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const connected = await this.#connected?.catch(() => undefined);
    this.#connected = undefined;
    await connected?.[Symbol.asyncDispose]();
  }
}

/** What the gateway has Temporal do. `since`: changes up to this one are no news for a webhook that has never told any. */
export function gatewayRuns(project: OpenProject, gateway: GatewayDefinition, client: () => Promise<Client>, since: string): Runs {
  const pipelines = [...project.definitions.pipelines.values()];
  const wakers = new WeakMap<Client, ReturnType<typeof ingestWaker>>();
  return {
    async wakeIngest(connection, ...pending) {
      const connected = await client();
      const wake = wakers.get(connected) ?? ingestWaker(connected, pipelines);
      wakers.set(connected, wake);
      await wake(connection, ...pending);
    },
    async wakeWebhook(name) {
      const webhook = gateway.webhooks.find((one) => one.name === name);
      const [books] = gateway.warehouses;
      if (webhook === undefined || books === undefined) throw new MillraceError('not-found', `There is no webhook "${name}".`);
      await wakeWebhook(await client(), outgoingWebhook(project.name, webhook, books), since);
    },
    async start(name) {
      const { runnable, hash } = named(project, name);
      if (runnable.kind === 'pipeline' && loadsEvents(runnable.definition))
        return { ...(await wakeIngest(await client(), { definition: runnable.definition, hash })), joined: true };
      const options: StartOptions = runnable.kind === 'sync' ? plainSync : { fullRefresh: false };
      return await startRun(await client(), runnable, options, hash);
    },
  };
}
