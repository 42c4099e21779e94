import type { ObjectDeclaration, Template } from './declaration.ts';

const one = '/contacts/{{ remote_id }}';
const answers = { remote_id: '$.id', reason: '$.errors[*].message', code: '$.errors[*].code' };

/** Contacts: users and leads. There is no bulk write, and a search may miss what was made seconds ago. */
const contacts: ObjectDeclaration = {
  match: ['external_id', 'email'],
  operations: {
    create: {
      method: 'POST',
      path: '/contacts',
      body: { '...': ['{{ match }}', '{{ fields | nest }}'] },
      settles: 'lookup',
      answers,
    },
    update: { method: 'PUT', path: one, body: '{{ fields | nest }}', find_first: true, settles: 'upsert', answers },
    upsert: {
      method: 'PUT',
      path: one,
      body: '{{ fields | nest }}',
      find_first: true,
      absent: 'create',
      settles: 'upsert',
      // It exists, and the search doesn't find it yet.
      answers: { ...answers, again: { statuses: [409], after: '2s' } },
    },
    archive: { method: 'POST', path: `${one}/archive`, find_first: true, absent: 'acknowledged', settles: 'upsert', answers },
    delete: { method: 'DELETE', path: one, find_first: true, absent: 'acknowledged', settles: 'upsert', answers },
  },
  find: {
    method: 'POST',
    path: '/contacts/search',
    // A group holds fifteen filters at most.
    batch: 15,
    row: { field: '{{ match_name }}', operator: '=', value: '{{ match_value }}' },
    body: { query: { operator: 'OR', value: '{{ rows }}' }, pagination: { per_page: 150 } },
    items: '$.data[*]',
    match: { key: { external_id: '$.external_id', email: '$.email' }, field: '{{ match_value }}', ignore_case: true },
    id: '$.id',
  },
  describe: {
    fields: [
      { name: 'external_id', type: 'string', unique: true },
      { name: 'email', type: 'string', unique: true },
      { name: 'role', type: 'enum', options: ['user', 'lead'] },
      { name: 'name', type: 'string' },
      { name: 'phone', type: 'string' },
      { name: 'avatar', type: 'string' },
      { name: 'owner_id', type: 'integer' },
      // Seconds since 1970.
      { name: 'signed_up_at', type: 'integer' },
      { name: 'last_seen_at', type: 'integer' },
      { name: 'unsubscribed_from_emails', type: 'boolean' },
    ],
    request: { method: 'GET', path: '/data_attributes', query: { model: 'contact' } },
    items: '$.data[*]',
    name: '$.full_name',
    type: '$.data_type',
    types: { string: 'string', integer: 'integer', float: 'number', boolean: 'boolean', date: 'any' },
    writable: '$.api_writable',
    options: '$.options[*]',
    closed: true,
  },
};

/** Intercom's REST API: https://developers.intercom.com/docs/references/rest-api. 10,000 requests a minute and app, given out in parts of ten seconds. */
export const intercom: Template = {
  system: 'Intercom',
  headers: { 'intercom-version': '2.14' },
  concurrency: 8,
  rate: { requests: 1_600, per: 10_000 },
  check: { method: 'GET', path: '/me' },
  objects: { contacts },
};
