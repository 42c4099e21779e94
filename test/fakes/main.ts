import { once } from 'node:events';
import { campaignsBraze, campaignsMailchimp, enrichmentSalesforce, healthIntercom, healthZendesk } from './accounts.ts';
import { startFake, type Fake } from './fake.ts';
import { startHubspot } from './hubspot.ts';
import { connectionText, startPage, variablesText, type ShownFake } from './page.ts';
import { salesforceApp } from './salesforce.ts';

const firstPort = 4700;

/** Starts every fake there is, on fixed ports of loopback from `port` + 1 on. */
async function startAll(port: number): Promise<readonly ShownFake[]> {
  const hubspot = await startHubspot({ port: port + 1 });
  hubspot.memberships.addList('42', 'At risk');
  const salesforce = await startFake(enrichmentSalesforce(), port + 2);
  const brazeVendor = campaignsBraze();
  const braze = await startFake(brazeVendor, port + 3);
  const zendeskVendor = healthZendesk();
  const zendesk = await startFake(zendeskVendor, port + 4);
  const mailchimp = await startFake(campaignsMailchimp(), port + 5);
  const intercom = await startFake(healthIntercom(), port + 6);
  const declared = (fake: Fake, variable: string) => ({
    type: 'http',
    template: fake.name,
    url: fake.url,
    auth: { type: 'bearer', token: `\${env:${variable}}` },
    allow_private: true,
  });
  const settings = (fake: Fake) => ({ type: fake.name, url: fake.url, allow_private: true });
  const auth = { type: 'client-credentials', client_id: salesforceApp.clientId, client_secret: '${env:SALESFORCE_SECRET}' };
  return [
    { fake: hubspot, connection: { ...settings(hubspot), token: '${env:HUBSPOT_TOKEN}' }, secrets: { HUBSPOT_TOKEN: 'pat-fake' } },
    {
      fake: salesforce,
      connection: { ...settings(salesforce), auth },
      secrets: { SALESFORCE_SECRET: salesforceApp.clientSecret },
    },
    { fake: braze, connection: { ...settings(braze), api_key: '${env:BRAZE_KEY}' }, secrets: { BRAZE_KEY: brazeVendor.apiKey } },
    {
      fake: zendesk,
      connection: { ...settings(zendesk), email: zendeskVendor.email, api_token: '${env:ZENDESK_TOKEN}' },
      secrets: { ZENDESK_TOKEN: zendeskVendor.token },
    },
    { fake: mailchimp, connection: declared(mailchimp, 'MAILCHIMP_KEY'), secrets: { MAILCHIMP_KEY: 'mailchimp-key-us1' } },
    { fake: intercom, connection: declared(intercom, 'INTERCOM_TOKEN'), secrets: { INTERCOM_TOKEN: 'intercom-token' } },
  ];
}

const port = Number(process.argv[2] ?? firstPort);
if (!Number.isInteger(port) || port < 1 || port > 65_000) {
  console.error(`npm run fakes [-- PORT]: fake applications on the ports after PORT, their page on it; ${firstPort} by default`);
  process.exit(2);
}
const shown = await startAll(port);
await using page = await startPage(shown, port);
console.log(`Fake applications, new at each start, as the examples need them; their records and effects: ${page.url}\n`);
for (const one of shown) console.log(variablesText(one));
console.log('\nconnections:');
for (const one of shown) console.log(`  ${connectionText(one)}`);
console.log('\nCtrl-C ends.');
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await Promise.all(shown.map(async ({ fake }) => await fake[Symbol.asyncDispose]()));
