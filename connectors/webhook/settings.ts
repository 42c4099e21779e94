import { z } from 'zod';

export const webhookSettings = z
  .strictObject({
    type: z.literal('webhook').describe('An address that alerts are posted to.'),
    url: z.string().describe('`https://…`; where it is a secret, only by reference. Empty: alerts are logged only.'),
    template: z
      .enum(['json', 'slack'])
      .meta({ description: 'Shape of the message: plain JSON, or what Slack and its like take.', default: 'json' })
      .optional(),
    allow_private: z.boolean().meta({ description: 'Whether the address may be in a private network.', default: false }).optional(),
  })
  .describe('An address for alerts.');
export type WebhookSettings = z.infer<typeof webhookSettings>;
