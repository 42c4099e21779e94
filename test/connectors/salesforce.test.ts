import { salesforceApp } from '../fakes/salesforce.ts';
import { describeApplication } from '../kits/application.ts';
import type { ApplicationCase } from '../kits/application-case.ts';
import { account, openCase, startOrg, wrongSecret, type SalesforceOrg } from './salesforce-kit.ts';

const shared: Omit<ApplicationCase<SalesforceOrg>, 'name'> = {
  request: { object: 'Account' },
  start: startOrg,
  open: openCase,
  secrets: [salesforceApp.clientSecret, wrongSecret],
  operations: ['upsert', 'create', 'update', 'delete'],
  row: account,
  seed: (org, rows) => {
    for (const { match, fields } of rows) org.vendor.store.add('Account', { ...match, ...fields });
  },
  stored: (org, { match }) => org.vendor.store.find('Account', 'External__c', match['External__c'])[0],
  refused: { operation: 'upsert', row: (no) => ({ ...account(no, 0), fields: { ...account(no, 0).fields, Tier__c: 'platinum' } }) },
};

describe('salesforce', () => {
  describeApplication<SalesforceOrg>({
    ...shared,
    name: 'Salesforce by collections',
    missing: { object: 'Acount', nearest: 'Account' },
    http: {
      fake: ({ fake }) => fake,
      isWrite: ({ path }) => path.includes('composite/sobjects'),
      throttled: (wait) => ({
        status: 403,
        body: [{ errorCode: 'REQUEST_LIMIT_EXCEEDED', message: 'ConcurrentRequests Limit exceeded.' }],
        headers: { 'retry-after': String(wait / 1000) },
      }),
      wholeRefusal: { status: 400, body: [{ errorCode: 'JSON_PARSER_ERROR', message: 'Cannot deserialize instance of double' }] },
    },
  });

  describeApplication<SalesforceOrg>({
    ...shared,
    name: 'Salesforce by jobs',
    request: { object: 'Account', write: { bulk: 'always' } },
    capped: false,
    loseJob: (org, handle) => org.vendor.jobs.expire(handle),
  });
});
