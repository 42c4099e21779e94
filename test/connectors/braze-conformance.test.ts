import { describeApplication } from '../kits/application.ts';
import { brazeCase, brazeHttp, group, profile } from './braze-case.ts';

describeApplication({
  ...brazeCase,
  name: 'Braze users',
  request: { object: 'users' },
  operations: ['upsert', 'update', 'delete'],
  row: (no, version) => ({
    match: { external_id: `user-${no}` },
    fields: { first_name: `Name ${no}`, health_score: no * 10 + version, plan: { tier: 'gold', seats: version } },
  }),
  normalize: (value) => JSON.stringify(value),
  seed: ({ vendor }, rows) => rows.forEach(({ match, fields }) => vendor.add({ ...fields, ...match })),
  stored: profile,
  refused: { operation: 'upsert', row: (no) => ({ match: { external_id: `user-${no}` }, fields: { email: 'no address' } }) },
  described: ['external_id', 'email', 'first_name'],
  http: brazeHttp,
});

describeApplication({
  ...brazeCase,
  name: 'Braze events',
  request: { object: 'events', write: { event: 'upgraded' } },
  operations: ['create'],
  row: (no, version) => ({
    match: { external_id: `user-${no}` },
    fields: { time: `2026-03-0${version + 1}T10:00:00Z`, plan: `plan-${no}` },
  }),
  seed: () => undefined,
  stored: ({ vendor }, { match }) => {
    const event = vendor
      .records()
      .get('events')
      ?.find((one) => one['external_id'] === match['external_id']);
    return event && { ...(event['properties'] as object), time: event['time'] };
  },
  refused: { operation: 'create', row: (no) => ({ match: { external_id: `user-${no}` }, fields: { time: '2026-02-31T25:00', plan: '' } }) },
  createOfExisting: 'created',
  described: ['external_id', 'time'],
  http: brazeHttp,
});

describeApplication({
  ...brazeCase,
  name: 'Braze subscription groups',
  request: { object: `subscription_groups/${group}` },
  operations: ['add', 'remove'],
  row: (no) => ({ match: { external_id: `user-${no}` }, fields: {} }),
  seed: ({ vendor }, rows, operation) =>
    rows.forEach(({ match }) => {
      vendor.add(match);
      if (operation === 'remove') vendor.subscribe(group, match['external_id']);
    }),
  stored: ({ vendor }, { match }) => {
    const members = vendor.records().get(`subscription_groups/${group}`);
    return members?.some((user) => user['external_id'] === match['external_id']) === true ? {} : undefined;
  },
  http: brazeHttp,
});
