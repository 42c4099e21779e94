import { z } from 'zod';
import type { Field } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { type Account, ask } from './account.ts';
import type { Kind } from './kind.ts';

/** https://developer.zendesk.com/api-reference/ticketing/users/user_fields/#json-format */
const customField = z.looseObject({
  key: z.string().nullish(),
  type: z.string(),
  active: z.boolean().catch(true),
  custom_field_options: z.array(z.looseObject({ value: z.string() })).nullish(),
});
const page = z.looseObject({
  user_fields: z.array(customField).optional(),
  organization_fields: z.array(customField).optional(),
  next_page: z.string().nullish(),
});
type CustomField = z.infer<typeof customField>;

const types: Readonly<Record<string, Field['type']>> = {
  checkbox: 'boolean',
  date: 'date',
  decimal: 'number',
  integer: 'integer',
  text: 'string',
  textarea: 'string',
  regexp: 'string',
  dropdown: 'enum',
  tagger: 'enum',
  multiselect: 'json',
};

function fieldOf({ customFields }: Kind, { key, type, active, custom_field_options: choices }: CustomField): readonly Field[] {
  if (key === undefined || key === null || !active) return [];
  const kind = types[type] ?? 'any';
  const options = kind === 'enum' ? { options: (choices ?? []).map(({ value }) => value) } : {};
  return [{ name: `${customFields}.${key}`, type: kind, required: false, readOnly: false, unique: false, ...options }];
}

/** The fields that there are: those of each account, and its own as `user_fields.plan`; drop-downs take the tags of their options. */
export async function describeKind(account: Account, kind: Kind, attempt: Attempt): Promise<readonly Field[]> {
  const fields: Field[] = [...kind.fields];
  for (let no = 1, more = true; more; no += 1) {
    const request = {
      method: 'GET',
      path: `api/v2/${kind.customFields}.json`,
      query: { page: no, per_page: 100 },
      repeatable: true,
    } as const;
    const answer = await ask(account, request, page, attempt);
    const own = answer[kind.customFields] ?? [];
    fields.push(...own.flatMap((one) => fieldOf(kind, one)));
    more = own.length > 0 && answer.next_page !== undefined && answer.next_page !== null;
  }
  return fields;
}
