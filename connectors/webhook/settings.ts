import { z } from 'zod';

export const webhookSettings = z
  .strictObject({
    type: z.literal('webhook').describe('An address that alerts and commits are posted to.'),
    url: z.string().describe('`https://…`; where it is a secret, only by reference. Empty: alerts are logged only.'),
    template: z
      .enum(['json', 'slack'])
      .meta({ description: 'Shape of the message: plain JSON, or what Slack and its like take.', default: 'json' })
      .optional(),
    secret: z.string().describe('Signs what is posted (HMAC-SHA256 of time and body, in `millrace-signature`); by reference.').optional(),
    allow_private: z.boolean().meta({ description: 'Whether the address may be in a private network.', default: false }).optional(),
  })
  .describe('An address for alerts and commits.');
export type WebhookSettings = z.infer<typeof webhookSettings>;
