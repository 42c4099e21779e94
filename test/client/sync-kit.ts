import { toDefinitions } from '../../client/project/definitions.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import { connections, load } from './project-kit.ts';

/** A project of one sync with the settings given, indented by four spaces below its name; its model has the key `email`. */
export function syncProject(settings: string, model = '{ sql: select 1 AS email, warehouse: warehouse, key: email }'): string {
  const indented = settings
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
  return `${connections}
models:
  health: ${model}
syncs:
  out:
    from: health
    to: shop.public.customers
${indented}
`;
}

/** The definition of the project's sync. */
export async function syncOf(text: string): Promise<SyncDefinition> {
  const found = toDefinitions(await load(text)).syncs.get('out');
  if (found === undefined) throw new Error('the project has no sync "out"');
  return found.definition;
}
