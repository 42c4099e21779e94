import type { ObjectDeclaration, Template } from './declaration.ts';

/** Mailchimp finds members by this digest of their address. */
const member = '{{ match.email_address | lower | md5 }}';
const memberPath = `/lists/{{ object.list }}/members/${member}`;
const byAddress = { key: '$.email_address', field: '{{ match.email_address }}', ignore_case: true } as const;
const reason = '$.detail';
const code = '$.title';

const subscribe = (updateExisting: boolean) => ({
  method: 'POST' as const,
  path: '/lists/{{ object.list }}',
  batch: 500,
  row: { status: '{{ write.status }}', '...': '{{ fields | nest }}', email_address: '{{ match.email_address }}' },
  body: { members: '{{ rows }}', update_existing: updateExisting },
  answers: {
    errors: { path: '$.errors[*]', match: byAddress, reason: '$.error', code: '$.error_code' },
    accepted: { path: "$['new_members','updated_members'][*]", match: byAddress, remote_id: '$.id' },
    reason,
    code,
  },
});

/** Members of an audience. Who was deleted for good, or has forgotten the audience, can't be put back by the API. */
const members: ObjectDeclaration = {
  match: ['email_address'],
  options: {
    status: {
      description:
        'Status of members whose row gives none. Without it a new member needs the field `status`, and one that is there keeps its own.',
      values: ['subscribed', 'unsubscribed', 'cleaned', 'pending', 'transactional'],
    },
  },
  operations: {
    create: { ...subscribe(false), settles: 'lookup' },
    upsert: { ...subscribe(true), settles: 'upsert' },
    update: {
      method: 'PATCH',
      path: memberPath,
      body: '{{ fields | nest }}',
      settles: 'upsert',
      answers: { remote_id: '$.id', reason, code },
    },
    archive: { method: 'DELETE', path: memberPath, settles: 'upsert', answers: { acknowledged: [200, 204, 404], reason, code } },
    delete: {
      method: 'POST',
      path: `${memberPath}/actions/delete-permanent`,
      settles: 'upsert',
      answers: { acknowledged: [200, 204, 404], reason, code },
    },
  },
  find: { method: 'GET', path: memberPath, query: { fields: 'id' }, id: '$.id' },
  check: { method: 'GET', path: '/lists/{{ object.list }}', query: { fields: 'id' } },
  list: {
    request: { method: 'GET', path: '/lists', query: { count: '1000', fields: 'lists.id' } },
    names: '$.lists[*].id',
    form: 'lists/{}/members',
  },
  describe: {
    fields: [
      { name: 'email_address', type: 'string', required: true, unique: true },
      { name: 'status', type: 'enum', options: ['subscribed', 'unsubscribed', 'cleaned', 'pending', 'transactional'] },
      { name: 'email_type', type: 'enum', options: ['html', 'text'] },
      { name: 'language', type: 'string' },
      { name: 'vip', type: 'boolean' },
      { name: 'location.latitude', type: 'number' },
      { name: 'location.longitude', type: 'number' },
      { name: 'ip_signup', type: 'string' },
      { name: 'timestamp_signup', type: 'datetime' },
      { name: 'ip_opt', type: 'string' },
      { name: 'timestamp_opt', type: 'datetime' },
      { name: 'interests', type: 'json' },
    ],
    request: { method: 'GET', path: '/lists/{{ object.list }}/merge-fields', query: { count: '1000' } },
    items: '$.merge_fields[*]',
    name: '$.tag',
    prefix: 'merge_fields.',
    type: '$.type',
    types: {
      text: 'string',
      number: 'number',
      phone: 'string',
      url: 'string',
      imageurl: 'string',
      zip: 'string',
      date: 'date',
      birthday: 'string',
      address: 'json',
    },
    required: '$.required',
    options: '$.options.choices[*]',
    // Mailchimp drops merge fields that it doesn't have, without a word.
    closed: true,
  },
};

const membership: Pick<ObjectDeclaration, 'match' | 'check' | 'describe'> = {
  match: ['email_address'],
  check: { method: 'GET', path: '/lists/{{ object.list }}', query: { fields: 'id' } },
  describe: { fields: [{ name: 'email_address', type: 'string', required: true, unique: true }], closed: true },
};

const tag = (status: 'active' | 'inactive', acknowledged: number[]) => ({
  method: 'POST' as const,
  path: `${memberPath}/tags`,
  body: { tags: [{ name: '{{ object.tag }}', status }] },
  settles: 'upsert' as const,
  answers: { acknowledged, reason, code },
});

const segment = (list: 'members_to_add' | 'members_to_remove') => ({
  method: 'POST' as const,
  path: '/lists/{{ object.list }}/segments/{{ object.segment }}',
  batch: 500,
  row: '{{ match.email_address }}',
  body: { [list]: '{{ rows }}' },
  settles: 'upsert' as const,
  answers: {
    // Who is not in the audience is not in its segment either: removed already.
    ...(list === 'members_to_add'
      ? { errors: { path: '$.errors[*]', match: { ...byAddress, key: '$.email_addresses[*]' }, reason: '$.error' } }
      : {}),
    reason,
    code,
  },
});

/**
 * Mailchimp's Marketing API 3.0: https://mailchimp.com/developer/marketing/api. Ten requests at the same time, no limit by time; more are
 * answered with 429, or with a bare 403.
 */
export const mailchimp: Template = {
  system: 'Mailchimp',
  concurrency: 10,
  throttled: [{ status: 403, withoutJson: true, wait: 60_000 }],
  check: { method: 'GET', path: '/ping' },
  objects: {
    'lists/{list}/members': members,
    'lists/{list}/tags/{tag}': { ...membership, operations: { add: tag('active', [200, 204]), remove: tag('inactive', [200, 204, 404]) } },
    'lists/{list}/segments/{segment}': {
      ...membership,
      check: { method: 'GET', path: '/lists/{{ object.list }}/segments/{{ object.segment }}', query: { fields: 'id' } },
      operations: { add: segment('members_to_add'), remove: segment('members_to_remove') },
    },
  },
};
