import { z } from 'zod';
import { MillraceError } from '../../schema/errors.ts';
import type { Field } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { plainField } from '../plain-field.ts';
import { identifiers } from './identity.ts';
import type { Workspace } from './workspace.ts';

const exported = z.looseObject({
  attributes: z.array(z.looseObject({ name: z.string(), data_type: z.string().catch(''), status: z.string().catch('') })),
});

const subscription = { options: ['opted_in', 'subscribed', 'unsubscribed'] };

/** Fields that each profile has: https://www.braze.com/docs/api/objects_filters/user_attributes_object */
const profileFields: readonly Field[] = [
  ...Object.keys(identifiers).map((name) =>
    plainField(name, name === 'user_alias' ? 'json' : 'string', { unique: true, readOnly: name === 'braze_id' }),
  ),
  ...['first_name', 'last_name', 'home_city', 'country', 'language', 'time_zone'].map((name) => plainField(name, 'string')),
  plainField('gender', 'enum', { options: ['M', 'F', 'O', 'N', 'P'] }),
  plainField('dob', 'date'),
  plainField('email_subscribe', 'enum', subscription),
  plainField('push_subscribe', 'enum', subscription),
  ...['email_open_tracking_disabled', 'email_click_tracking_disabled'].map((name) => plainField(name, 'boolean')),
  ...['date_of_first_session', 'date_of_last_session', 'marked_email_as_spam_at'].map((name) => plainField(name, 'datetime')),
  ...['current_location', 'push_tokens', 'subscription_groups', 'facebook', 'twitter'].map((name) => plainField(name, 'json')),
];

function typeOf(dataType: string): Field['type'] {
  const name = dataType.toLowerCase();
  if (name.includes('automatically')) return 'any';
  if (name.includes('array') || name.includes('object')) return 'json';
  if (name.includes('string')) return 'string';
  if (name.includes('number')) return 'number';
  if (name.includes('boolean')) return 'boolean';
  return name.includes('date') || name.includes('time') ? 'datetime' : 'any';
}

/** The cursor in `Link: <…?cursor=…>; rel="next"`. */
function nextCursor(link: string | undefined): string | undefined {
  const next = link?.split(',').find((part) => /rel="?next"?/.test(part));
  const address = /<([^>]+)>/.exec(next ?? '')?.[1];
  if (address === undefined || !URL.canParse(address, 'https://braze')) return undefined;
  return new URL(address, 'https://braze').searchParams.get('cursor') ?? undefined;
}

/** Custom attributes that Braze has seen; a blocked one takes no values. Throws `auth` when the key may not read them. */
export async function customAttributes({ name, client }: Workspace, attempt: Attempt): Promise<readonly Field[]> {
  const fields = new Map<string, Field>();
  const seen = new Set<string | undefined>();
  for (let cursor: string | undefined; !seen.has(cursor);) {
    seen.add(cursor);
    const answer = await client.request({ method: 'GET', path: 'custom_attributes', query: { cursor }, repeatable: true }, attempt);
    if (answer.status === 403) throw new MillraceError('auth', `connection ${name}: the key lacks the permission custom_attributes.get`);
    const parsed = exported.safeParse(answer.body);
    if (answer.status !== 200 || !parsed.success) {
      throw new MillraceError('unavailable', `connection ${name}: Braze answered HTTP ${answer.status} to custom_attributes`);
    }
    for (const one of parsed.data.attributes) {
      fields.set(one.name, plainField(one.name, typeOf(one.data_type), { readOnly: /blocklisted|blacklisted/i.test(one.status) }));
    }
    cursor = nextCursor(answer.headers['link']);
  }
  return [...fields.values()];
}

/** Fields of users. Without the permission to read the custom ones, those of each profile. */
export async function userFields(workspace: Workspace, attempt: Attempt): Promise<readonly Field[]> {
  const custom = await customAttributes(workspace, attempt).catch((error: unknown) => {
    if (error instanceof MillraceError && error.code === 'auth') return [];
    throw error;
  });
  const standard = new Set(profileFields.map(({ name }) => name));
  return [...profileFields, ...custom.filter(({ name }) => !standard.has(name))];
}
