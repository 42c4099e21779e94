import { MillraceError } from '../../schema/errors.ts';
import type { ConnectionDefinition } from '../../schema/definition.ts';
import type { LocalOptions, LocalServers } from '../../worker/local/options.ts';
import { connectTemporal, type Temporal } from '../connection.ts';
import { pageAddress } from '../names.ts';
import type { OpenProject } from './project.ts';

type Say = (line: string) => void;

/** A project's Temporal server as a command uses it. */
export interface Connected extends Temporal {
  /** The address that the project's folder remembers; undefined where the environment names another server. */
  readonly localAddress: string | undefined;
  /** Address of the Temporal UI, where it is known. */
  readonly ui: string | undefined;
  /** The page of a run, or its ids where no UI is known. */
  readonly page: (run: { readonly workflowId: string; readonly runId?: string }) => string;
}

/** The one variable without which the local PostgreSQL is the warehouse: a mistyped name must start no database. */
const warehouseVariable = 'WAREHOUSE_URL';

const isLocalWarehouse = ({ type, settings }: ConnectionDefinition): boolean =>
  type === 'postgres' && settings['url'] === `\${env:${warehouseVariable}}`;

/** Whether the local PostgreSQL stands in for a warehouse that nobody gave an address. */
function needsLocalPostgres({ definitions }: OpenProject): boolean {
  if ((process.env[warehouseVariable] ?? '') !== '') return false;
  const { pipelines, models, syncs, gateway } = definitions;
  const databases = [
    ...[...pipelines.values()].map(({ definition }) => definition.to),
    ...[...models.values()].map(({ definition }) => definition.warehouse),
    ...[...syncs.values()].map(({ definition }) => definition.state),
    ...(gateway?.warehouses ?? []),
  ];
  return databases.some(isLocalWarehouse);
}

/** What the project needs on this machine. */
export const localOptions = (project: OpenProject, say: Say): LocalOptions => ({
  folder: project.folder,
  project: project.name,
  log: say,
  need: { postgres: needsLocalPostgres(project), temporal: true },
});

function useLocalPostgres(project: OpenProject, servers: LocalServers): void {
  if (servers.postgres !== undefined && needsLocalPostgres(project)) process.env[warehouseVariable] = servers.postgres.url;
}

/** The servers that run already; the local PostgreSQL stands in for the warehouse. */
export async function findServers(project: OpenProject): Promise<LocalServers> {
  const { localStatus } = await import('../../worker/local/index.ts');
  const servers = await localStatus(project.folder);
  useLocalPostgres(project, servers);
  return servers;
}

function withoutPassword(address: string): string {
  const url = new URL(address);
  url.password = '';
  return url.href;
}

/** Starts the servers that are missing, and says so. */
export async function startServers(options: LocalOptions, project: OpenProject, say: Say): Promise<LocalServers> {
  const { startLocal } = await import('../../worker/local/index.ts');
  const servers = await startLocal(options);
  useLocalPostgres(project, servers);
  if (servers.postgres?.started === true) {
    say(`started PostgreSQL on port ${servers.postgres.port}`);
    say(`warehouse: psql ${withoutPassword(servers.postgres.url)}, its password is in .millrace/postgres.password`);
  }
  if (servers.temporal?.started === true)
    say(`started Temporal at ${servers.temporal.address}, its UI at ${servers.temporal.uiUrl ?? '?'}`);
  return servers;
}

/** Connects to the Temporal server among these servers. */
export async function connect(servers: LocalServers): Promise<Connected> {
  const { temporal } = servers;
  const localAddress = temporal === undefined || temporal.external ? undefined : temporal.address;
  const connected = await connectTemporal(localAddress);
  const ui = temporal?.uiUrl ?? process.env['TEMPORAL_UI_URL'];
  return {
    ...connected,
    localAddress,
    ui,
    page: ({ workflowId, runId }) =>
      ui === undefined ? `workflow ${workflowId}, run ${runId ?? ''}` : pageAddress(ui, connected.namespace, workflowId, runId),
    [Symbol.asyncDispose]: () => connected[Symbol.asyncDispose](),
  };
}

/** Connects to the project's Temporal server, which must be up. */
export async function connectProject(project: OpenProject): Promise<Connected> {
  const servers = await findServers(project);
  if (servers.temporal === undefined) {
    throw new MillraceError(
      'unavailable',
      `No Temporal server is up for ${project.name}: start one with millrace up, or set TEMPORAL_ADDRESS (or a profile of temporal.toml).`,
    );
  }
  return await connect(servers);
}
