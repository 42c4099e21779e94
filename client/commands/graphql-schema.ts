import type { Command } from 'commander';
import { roleOf, warehouseFor } from '../command-line/gateway.ts';
import { projectCommand, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { describedCatalog } from '../command-line/serving.ts';
import { MillraceError } from '../../schema/errors.ts';

interface Options extends ProjectOptions {
  readonly role?: string;
}

async function graphqlSchema(options: Options): Promise<void> {
  const output = outputOf({ json: true });
  const project = await openProject(options);
  const role = roleOf(project, options.role);
  await warehouseFor(project);
  const { graphqlSchemaOf } = await import('../../gateway/graphql/role-schema.ts');
  const schema = graphqlSchemaOf(await describedCatalog(project, output), role);
  if (schema === undefined) throw new MillraceError('not-found', `There is nothing to be seen by the role ${role}.`);
  process.stdout.write(schema);
}

/** `millrace graphql-schema` */
export const command = (): Command =>
  projectCommand('graphql-schema', 'Prints the GraphQL schema of the APIs as a role sees them, with their columns as they are now.', [
    'millrace graphql-schema --role support > schema.graphql',
  ])
    .option('--role <role>', 'the role that sees; not needed where there is one')
    .action(graphqlSchema);
