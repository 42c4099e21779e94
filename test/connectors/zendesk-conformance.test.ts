import { describeApplication } from '../kits/application.ts';
import { stored, zendeskCase, zendeskHttp } from './zendesk-case.ts';

for (const operation of ['upsert', 'create', 'update', 'delete'] as const) {
  const operations = [operation, ...(['upsert', 'create', 'update', 'delete'] as const).filter((one) => one !== operation)];
  describeApplication({
    ...zendeskCase,
    name: `Zendesk users (${operation})`,
    request: { object: 'users' },
    operations,
    row: (no, version) => ({
      match: { external_id: `user-${no}` },
      fields: { name: `Name ${no}`, notes: `note ${version}`, 'user_fields.score': no * 10 + version },
    }),
    seed: ({ vendor }, rows) =>
      rows.forEach(({ match, fields }) => vendor.add('users', { ...match, name: fields['name'], notes: fields['notes'] })),
    stored: (system, { match }) => {
      const user = stored(system, 'users', match);
      return user && { ...user, 'user_fields.score': (user['user_fields'] as Record<string, unknown>)['score'] };
    },
    normalize: (value) => JSON.stringify(value),
    refused: {
      operation: operation === 'delete' ? 'upsert' : operation,
      row: (no) => ({ match: { external_id: `user-${no}` }, fields: { name: 'Nine', email: 'no address' } }),
    },
    missing: { object: 'user', nearest: 'users' },
    described: ['external_id', 'email', 'name'],
    http: { ...zendeskHttp, operation },
  });
}

describeApplication({
  ...zendeskCase,
  name: 'Zendesk organizations',
  request: { object: 'organizations' },
  operations: ['upsert', 'create', 'update', 'delete'],
  row: (no, version) => ({
    match: { external_id: `org-${no}` },
    fields: { name: `Company ${no}`, details: `details ${version}`, 'organization_fields.tier': `tier-${version}` },
  }),
  seed: ({ vendor }, rows) => rows.forEach(({ match, fields }) => vendor.add('organizations', { ...match, name: fields['name'] })),
  stored: (system, { match }) => {
    const organization = stored(system, 'organizations', match);
    return (
      organization && {
        ...organization,
        'organization_fields.tier': (organization['organization_fields'] as Record<string, unknown>)['tier'],
      }
    );
  },
  refused: { operation: 'upsert', row: (no) => ({ match: { external_id: `org-${no}` }, fields: { name: '' } }) },
  missing: { object: 'organisations', nearest: 'organizations' },
  described: ['external_id', 'name'],
  http: zendeskHttp,
});
