import type { Command } from 'commander';
import type { Caller } from '../../gateway/caller.ts';
import { gatewayOf, roleOf, warehouseFor } from '../command-line/gateway.ts';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { describedCatalog } from '../command-line/serving.ts';

interface Options extends ProjectOptions {
  readonly role?: string;
}

async function openapi(options: Options): Promise<void> {
  const output = outputOf({ json: true });
  const project = await openProject(options);
  const role = roleOf(project, options.role);
  await warehouseFor(project);
  const [{ documentFor }, { readEventSchemas }] = await Promise.all([
    import('../../gateway/openapi/index.ts'),
    import('../../gateway/openapi/ingest.ts'),
  ]);
  const catalog = await describedCatalog(project, output);
  const caller: Caller = { id: 'document', role, scopes: ['api', 'changes', 'ingest'], claims: {}, identity: role };
  const definition = gatewayOf(project);
  output.data(documentFor({ catalog, definition }, caller, await readEventSchemas(definition)));
}

/** `millrace openapi` */
export const command = (): Command =>
  projectCommand('openapi', 'Prints the OpenAPI 3.1 document of the APIs as a role sees them, with their columns as they are now.', [
    'millrace openapi --role support > openapi.json',
  ])
    .option('--role <role>', 'the role that sees; not needed where there is one')
    .action(openapi);
