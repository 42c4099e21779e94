import { hostname, userInfo } from 'node:os';
import type { AuditEntry, GatewayBooks } from '../../connectors/gateway-books.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import { suggestion } from '../project/finding.ts';
import type { OpenProject } from './project.ts';
import { findServers, localOptions } from './servers.ts';

/** The gateway of a project; throws `config` for one without. */
export function gatewayOf({ name, definitions }: OpenProject): GatewayDefinition {
  if (definitions.gateway !== undefined) return definitions.gateway;
  throw new MillraceError(
    'config',
    `The project ${name} has no gateway: it publishes nothing and takes nothing in. Add an API under "apis", or a connection of type ingest.`,
  );
}

/** The local PostgreSQL stands in for the warehouse where it runs. Throws `unavailable` where it would have to and doesn't: a gateway starts no database. */
export async function warehouseFor(project: OpenProject): Promise<void> {
  await findServers(project);
  if (!localOptions(project, () => undefined).need.postgres) return;
  throw new MillraceError(
    'unavailable',
    `No warehouse is up for ${project.name}: start the local one with millrace up, or set WAREHOUSE_URL to a PostgreSQL elsewhere.`,
  );
}

/** Opens the books of a project's gateway in this process, for as long as the work takes. */
export async function withGatewayBooks<T>(project: OpenProject, work: (books: GatewayBooks) => Promise<T>): Promise<T> {
  const gateway = gatewayOf(project);
  await warehouseFor(project);
  const { openBooks, resolveGateway } = await import('../../worker/gateway.ts');
  const { definition } = await resolveGateway({ ...gateway, ...withoutMore, warehouses: gateway.warehouses.slice(0, 1) }, process.env);
  const [warehouse] = definition.warehouses;
  if (warehouse === undefined) throw new MillraceError('config', 'The gateway has no warehouse for its tokens and its audit log.');
  await using books = await openBooks(warehouse);
  await books.check();
  return await work(books);
}

/** Secrets that only the gateway itself needs. */
const withoutMore: Pick<GatewayDefinition, 'ingests' | 'triggers'> = { ingests: [], triggers: [] };

/** What a person did, for the audit log. */
export function doneByPerson(project: string, entry: Pick<AuditEntry, 'action' | 'target' | 'details'>): AuditEntry {
  return { project, actor: `${accountName()}@${hostname()}`, result: 'ok', ...entry };
}

/** In a container the account may have no name. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}

/** The role that is asked for, or the only one. Throws `config` naming those there are. */
export function roleOf(project: OpenProject, role: string | undefined): string {
  const known = [...new Set(gatewayOf(project).apis.flatMap(({ roles }) => Object.keys(roles)))];
  const [only] = known;
  if (role === undefined && only !== undefined && known.length === 1) return only;
  if (role !== undefined && known.includes(role)) return role;
  if (role === undefined) throw new MillraceError('config', `Give --role, as it sees less or more: ${known.join(', ')}.`);
  throw new MillraceError('config', `No API of the project has a role "${role}".${suggestion(role, known)}`);
}
