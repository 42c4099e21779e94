import { MillraceError } from '../../schema/errors.ts';
import type { Json } from '../../schema/value.ts';
import type { OutgoingRow } from '../application.ts';
import { parseText, type Placeholder } from './placeholder.ts';
import type { Scope } from './render.ts';

/** What of an object's declaration holds for all its rows. */
export interface ObjectScope {
  /** What the parts in braces of the object's name stand for. */
  readonly object: Readonly<Record<string, string>>;
  readonly write: Readonly<Record<string, string>>;
  /** The first of the fields that find an object. */
  readonly matchName: string;
}

/** What placeholders of a request without rows can name. */
export const objectScope = ({ object, write, matchName }: ObjectScope): Scope => ({ object, write, match_name: matchName });

/** What placeholders of a row's request can name. */
export function rowScope(scope: ObjectScope, row: OutgoingRow): Scope {
  const { match, fields, key, remoteId, idempotencyKey } = row;
  const match_value = match[scope.matchName];
  return { ...objectScope(scope), match, match_value, fields, key, remote_id: remoteId, idempotency_key: idempotencyKey };
}

/** What placeholders of a batch's request can name. */
export const batchScope = (scope: ObjectScope, rows: readonly Json[]): Scope => ({ ...objectScope(scope), rows });

/** Names that each root has; undefined: any, an empty list: it has none and stands alone. */
export type Names = Readonly<Record<string, readonly string[] | undefined>>;

function* textsOf(value: unknown): Iterable<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) yield* textsOf(member);
}

const spelled = ({ root, names }: Placeholder): string => `{{ ${[root, ...names].join('.')} }}`;

function problemOf(placeholder: Placeholder, known: Names): string | undefined {
  const { root, names, filters } = placeholder;
  if (!Object.hasOwn(known, root)) return `${spelled(placeholder)} means nothing here; there are ${Object.keys(known).join(', ')}`;
  const [name] = names;
  const has = known[root];
  if (name === undefined || has === undefined || has.includes(name) || filters.some((filter) => filter.name === 'default'))
    return undefined;
  return `${spelled(placeholder)} has no value: ${has.length === 0 ? `${root} has no parts` : `there are ${has.join(', ')}`}; map it, or give it a default`;
}

/** Throws `config` for a placeholder that can never have a value. `where` names object and operation. */
export function checkNames(template: unknown, known: Names, where: string): void {
  for (const text of textsOf(template)) {
    for (const segment of parseText(text)) {
      const problem = typeof segment === 'string' ? undefined : problemOf(segment, known);
      if (problem !== undefined) throw new MillraceError('config', `${where}: ${problem}`);
    }
  }
}
