import { Braze } from './braze.ts';
import { Intercom } from './intercom.ts';
import { Mailchimp } from './mailchimp.ts';
import { Salesforce } from './salesforce.ts';
import { Zendesk } from './zendesk.ts';

/** A Braze workspace as the example campaigns needs it: with its subscription group. */
export const campaignsBraze = (): Braze => new Braze({ subscriptionGroups: ['b1fa7cc8-0c2b-4c4a-9f5e-0a4b0ac9f6b1'] });

/** A Mailchimp account with the audience of the example campaigns. */
export const campaignsMailchimp = (): Mailchimp => new Mailchimp({ lists: ['4f2a91c0d7'] });

/** An org as the example enrichment finds it: sales people have made all accounts but one. */
export function enrichmentSalesforce(): Salesforce {
  const org = new Salesforce();
  for (const account of ['acme', 'birch', 'coral', 'elm']) {
    org.store.add('Account', { Name: account, External__c: account, Tier__c: 'silver', Seen__c: '2025-12-01T08:00:00.000Z' });
  }
  return org;
}

/** A Zendesk account with the fields of the example health. */
export const healthZendesk = (): Zendesk =>
  new Zendesk({
    organizationFields: [
      { key: 'health_score', type: 'integer' },
      { key: 'health', type: 'dropdown', options: ['healthy', 'watch', 'at_risk'] },
      { key: 'open_tickets', type: 'integer' },
    ],
    userFields: [{ key: 'logins', type: 'integer' }],
  });

/** An Intercom workspace with the attributes of the example health. */
export const healthIntercom = (): Intercom =>
  new Intercom({
    attributes: [
      { name: 'logins', data_type: 'integer' },
      { name: 'is_inactive', data_type: 'boolean' },
      { name: 'last_login_at', data_type: 'date' },
    ],
  });
