import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributePair } from '@temporalio/common';

/** Search attributes of Millrace's workflows, all keywords; `up` and dev servers register them. */
export const searchAttributeNames = ['MillraceProject', 'MillraceName', 'MillraceKind'] as const;

const keys = {
  project: defineSearchAttributeKey('MillraceProject', SearchAttributeType.KEYWORD),
  name: defineSearchAttributeKey('MillraceName', SearchAttributeType.KEYWORD),
  kind: defineSearchAttributeKey('MillraceKind', SearchAttributeType.KEYWORD),
};

const known = new WeakMap<Client, Promise<boolean>>();

/** Are they registered? Looked up once for each client; added where that is allowed, else left out. */
async function registered(client: Client): Promise<boolean> {
  const { operatorService } = client.connection;
  const namespace = client.options.namespace;
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    const missing = searchAttributeNames.filter((name) => customAttributes?.[name] === undefined || customAttributes[name] === null);
    if (missing.length === 0) return true;
    await operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(missing.map((name) => [name, 2])) });
    return true;
  } catch {
    return false;
  }
}

/** The attributes of a run, empty where the server doesn't have them; the memo carries the same values. */
export async function searchAttributesOf(client: Client, project: string, name: string, kind: string): Promise<SearchAttributePair[]> {
  const lookup = known.get(client) ?? registered(client);
  known.set(client, lookup);
  if (!(await lookup)) return [];
  return [
    { key: keys.project, value: project },
    { key: keys.name, value: name },
    { key: keys.kind, value: kind },
  ];
}
