import { z } from 'zod';
import { httpParts } from '../http/settings.ts';

const clientId = z.string().min(1).describe('Consumer key of the connected app.');
const secret = (what: string): z.ZodString => z.string().min(1).describe(`${what}, only by reference.`);

const salesforceAuth = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('client-credentials').describe("The connected app acts for the user that it is set up with (its 'Run As')."),
      client_id: clientId,
      client_secret: secret('Consumer secret of the connected app'),
    }),
    z.strictObject({
      type: z.literal('refresh-token').describe('The connected app acts for a user who has agreed to it.'),
      client_id: clientId,
      client_secret: secret('Consumer secret of the connected app'),
      refresh_token: secret('The first refresh token; what Salesforce gives in its place is kept encrypted'),
    }),
    z.strictObject({
      type: z.literal('jwt-bearer').describe('The connected app acts for a user by a signed assertion.'),
      client_id: clientId,
      user: z.string().min(1).describe('User name that is acted for: `integration@acme.com`.'),
      private_key: secret('Private key as PEM; the connected app has its certificate'),
    }),
  ])
  .describe('How the connection logs in.');

const origin = (text: string): boolean => URL.canParse(text) && new URL(text).pathname === '/';

export const salesforceSettings = z
  .strictObject({
    type: z.literal('salesforce').describe('A Salesforce org.'),
    url: z
      .string()
      .refine(origin, "must be an org's address such as https://acme.my.salesforce.com")
      .describe("The org's own address (My Domain): `https://acme.my.salesforce.com`."),
    login_url: z
      .string()
      .refine(origin, 'must be an address such as https://login.salesforce.com')
      .describe('Where tokens are got and whom an assertion is for, where that is not the address itself: `https://test.salesforce.com`.')
      .optional(),
    api_version: z
      .string()
      .regex(/^v\d{2,3}\.0$/, 'must be a version such as v62.0')
      .meta({ description: 'Version of the API.', default: 'v62.0' })
      .optional(),
    auth: salesforceAuth,
    ...httpParts,
  })
  .describe('A Salesforce org.');
export type SalesforceSettings = z.infer<typeof salesforceSettings>;

/** How the rows of a sync are written. */
export const salesforceWriteOptions = z
  .strictObject({
    bulk: z
      .enum(['auto', 'always', 'never'])
      .meta({
        description: 'Whether rows are sent as jobs of the Bulk API 2.0; `auto`: when a run has 2,000 rows or more.',
        default: 'auto',
      })
      .optional(),
  })
  .describe('How the rows are written.');
