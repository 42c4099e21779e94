import { z } from 'zod';
import type { OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { type Account, ask } from './account.ts';
import { type Kind, plainText } from './kind.ts';

const object = z.looseObject({
  id: z.number().or(z.string()),
  external_id: z.string().nullable().catch(null),
  email: z.string().nullable().catch(null),
  active: z.boolean().catch(true),
});
const answers = {
  users: z.looseObject({ users: z.array(object) }).transform(({ users }) => users),
  organizations: z.looseObject({ organizations: z.array(object) }).transform(({ organizations }) => organizations),
};
type Found = z.infer<typeof object>;

/** Characters of one look-up's values, so that its address stays short. */
const together = 4_000;

/** Values in groups of at most `count` that fit into one address. */
function groups(values: readonly string[], count: number): readonly (readonly string[])[] {
  const all: string[][] = [];
  let size = Infinity;
  for (const value of values) {
    const group = all.at(-1);
    size += encodeURIComponent(value).length + 3;
    if (group === undefined || group.length >= count || size > together) {
      all.push([value]);
      size = encodeURIComponent(value).length + 3;
    } else group.push(value);
  }
  return all;
}

/** How values of a field are asked for: the path below the kind, and the parameters. */
function questions(match: string, values: readonly string[]): readonly (readonly [string, Readonly<Record<string, string>>])[] {
  if (match === 'id') return groups(values, 100).map((group) => ['show_many', { ids: group.join(',') }]);
  if (match === 'email') {
    const query = (group: readonly string[]): string => group.map((email) => `email:"${email.replaceAll('"', '')}"`).join(' ');
    return groups(values, 25).map((group) => ['search', { query: query(group), per_page: '100' }]);
  }
  const plain = values.filter((value) => !value.includes(','));
  const single = values.filter((value) => value.includes(','));
  return [
    ...groups(plain, 100).map((group) => ['show_many', { external_ids: group.join(',') }] as const),
    ...single.map((value) => ['search', { external_id: value }] as const),
  ];
}

const nameOf = (found: Found, match: string): string => {
  if (match === 'id') return String(found.id);
  return ((match === 'email' ? found.email : found.external_id) ?? '').toLowerCase();
};

/** Ids of the rows' objects, in order; undefined where Zendesk has none, or only a deleted one. External ids and addresses don't tell cases apart. */
export async function findIds(
  account: Account,
  { plural }: Kind,
  match: string,
  rows: readonly OutgoingRow[],
  attempt: Attempt,
): Promise<readonly (string | undefined)[]> {
  const names = rows.map((row) => plainText(row.match[match])?.toLowerCase());
  const values = [...new Set(names.filter((name) => name !== undefined))];
  const ids = new Map<string, string>();
  for (const [path, query] of questions(match, values)) {
    const request = { method: 'GET', path: `api/v2/${plural}/${path}.json`, query, repeatable: true } as const;
    for (const found of await ask(account, request, answers[plural], attempt))
      if (found.active) ids.set(nameOf(found, match), String(found.id));
  }
  return names.map((name) => (name === undefined ? undefined : ids.get(name)));
}
