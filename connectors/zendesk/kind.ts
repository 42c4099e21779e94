import { ExactNumber, type FieldValue } from '../../schema/value.ts';
import type { Field, OutgoingRow } from '../application.ts';
import { plainField } from '../plain-field.ts';

/** What the API calls one kind of object. */
export interface Kind {
  readonly plural: 'users' | 'organizations';
  readonly singular: string;
  readonly customFields: 'user_fields' | 'organization_fields';
  /** Fields that find one, the usual one first. */
  readonly matches: readonly string[];
  readonly fields: readonly Field[];
}

const field = (name: string, type: Field['type'] = 'string', more: Partial<Field> = {}): Field => plainField(name, type, more);
const shared: readonly Field[] = [
  field('id', 'integer', { readOnly: true, unique: true }),
  field('external_id', 'string', { unique: true, maxLength: 255 }),
  field('details'),
  field('notes'),
  field('tags', 'json'),
];

/** https://developer.zendesk.com/api-reference/ticketing/users/users/#json-format */
const users: Kind = {
  plural: 'users',
  singular: 'user',
  customFields: 'user_fields',
  matches: ['external_id', 'email', 'id'],
  fields: [
    ...shared,
    field('name', 'string', { required: true }),
    field('email', 'string', { unique: true }),
    field('role', 'enum', { options: ['end-user', 'agent', 'admin'] }),
    field('ticket_restriction', 'enum', { options: ['organization', 'groups', 'assigned', 'requested'] }),
    ...['phone', 'alias', 'locale', 'time_zone', 'signature', 'remote_photo_url', 'organization.name'].map((name) => field(name)),
    ...['organization_id', 'locale_id', 'custom_role_id', 'default_group_id'].map((name) => field(name, 'integer')),
    ...['suspended', 'verified', 'moderator', 'only_private_comments', 'restricted_agent', 'shared_phone_number'].map((name) =>
      field(name, 'boolean'),
    ),
  ],
};

/** https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/#json-format */
const organizations: Kind = {
  plural: 'organizations',
  singular: 'organization',
  customFields: 'organization_fields',
  matches: ['external_id', 'id'],
  fields: [
    ...shared,
    field('name', 'string', { required: true, unique: true }),
    field('group_id', 'integer'),
    field('domain_names', 'json'),
    field('shared_tickets', 'boolean'),
    field('shared_comments', 'boolean'),
  ],
};

export const kinds: Readonly<Record<string, Kind>> = { users, organizations };

/** Text of a value that isn't nested; undefined for others and for nothing. */
export function plainText(value: FieldValue | undefined): string | undefined {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Tags replace what is there; a text holds several, apart by spaces or commas. */
function tagsOf(value: FieldValue): FieldValue {
  if (value === null) return [];
  return typeof value === 'string' ? value.split(/[\s,]+/).filter((tag) => tag !== '') : value;
}

/** A row's fields as the API takes them: `user_fields.plan` is a member of `user_fields`. */
export function bodyOf({ fields }: OutgoingRow): Readonly<Record<string, unknown>> {
  const body: Record<string, unknown> = {};
  const nested: Record<string, Record<string, FieldValue>> = {};
  for (const [name, value] of Object.entries(fields)) {
    const dot = name.indexOf('.');
    if (dot > 0) (nested[name.slice(0, dot)] ??= {})[name.slice(dot + 1)] = value;
    else body[name] = name === 'tags' ? tagsOf(value) : value;
  }
  return { ...body, ...nested };
}
