import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import { ExactNumber, type FieldValue } from '../../schema/value.ts';
import type { ApplicationRequest, OutgoingRow } from '../application.ts';

/** What finds a user, and what `/users/delete` and subscription groups call a list of them. */
export const identifiers = {
  external_id: { deleted: 'external_ids', subscribed: 'external_ids' },
  user_alias: { deleted: 'user_aliases', subscribed: undefined },
  braze_id: { deleted: 'braze_ids', subscribed: undefined },
  email: { deleted: 'email_addresses', subscribed: 'emails' },
  phone: { deleted: 'phone_numbers', subscribed: 'phones' },
} as const;
export type Identifier = keyof typeof identifiers;

const alias = z.strictObject({ alias_name: z.string().min(1), alias_label: z.string().min(1) });
export type Identity = string | z.infer<typeof alias>;

const isIdentifier = (name: string): name is Identifier => Object.hasOwn(identifiers, name);

/** The one field that finds users. Throws `config`. */
export function identifierOf({ match, object }: ApplicationRequest, name: string): Identifier {
  const [field] = match;
  if (match.length === 1 && field !== undefined && isIdentifier(field)) return field;
  const names = Object.keys(identifiers).join(', ');
  throw new MillraceError(
    'config',
    `connection ${name}: ${object} are matched by exactly one of ${names}, not by ${match.join(', ') || 'nothing'}`,
  );
}

/** Text of a value that isn't nested; undefined for others and for nothing. */
export function plainText(value: FieldValue | undefined): string | undefined {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The user that a row means; undefined when it names none. */
export function identityOf(row: OutgoingRow, identifier: Identifier, aliasLabel: string | undefined): Identity | undefined {
  const value = row.match[identifier];
  if (identifier !== 'user_alias') return plainText(value);
  const text = plainText(value);
  if (text !== undefined && aliasLabel !== undefined) return { alias_name: text, alias_label: aliasLabel };
  return alias.safeParse(value).data;
}
