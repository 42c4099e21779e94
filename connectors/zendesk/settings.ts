import { z } from 'zod';
import { httpParts } from '../http/settings.ts';

export const zendeskSettings = z
  .strictObject({
    type: z.literal('zendesk').describe('Zendesk Support, as destination: users and organizations.'),
    url: z.url().describe('Address of the account: `https://acme.zendesk.com`.'),
    email: z.string().min(1).describe('Address of the agent whose API token it is; with `api_token`.').optional(),
    api_token: z.string().min(1).describe('API token, only by reference.').optional(),
    oauth_token: z.string().min(1).describe('OAuth access token in place of `email` and `api_token`, only by reference.').optional(),
    ...httpParts,
  })
  .refine(
    ({ email, api_token: token, oauth_token: oauth }) =>
      oauth === undefined ? email !== undefined && token !== undefined : token === undefined,
    'give either email and api_token, or oauth_token',
  )
  .describe('A Zendesk Support account. Without `rate` it is asked 400 times a minute, as its plans Team to Professional allow.');
export type ZendeskSettings = z.infer<typeof zendeskSettings>;

export const zendeskWriteOptions = z
  .strictObject({
    verify_email: z
      .boolean()
      .meta({ description: 'Users: new ones get a message from Zendesk that asks to verify their address.', default: false })
      .optional(),
  })
  .describe('How users are written.');
