import { z } from 'zod';
import { duration } from './quantity.ts';

/** How a sender signs what it posts. */
const signatureKinds = ['github', 'stripe', 'hubspot', 'hmac'] as const;

export const signatureSettings = z
  .strictObject({
    kind: z
      .enum(signatureKinds)
      .describe(
        '`github` (X-Hub-Signature-256), `stripe` (Stripe-Signature), `hubspot` (v3), or `hmac` of the body in a header of your own.',
      ),
    secret: z.string().min(1).describe('The secret that is shared with the sender. By reference.'),
    header: z.string().min(1).describe('With `hmac`: the header of the signature. Default: `x-signature`.').optional(),
    algorithm: z.enum(['sha256', 'sha512']).meta({ description: 'With `hmac`: the digest.', default: 'sha256' }).optional(),
    encoding: z.enum(['hex', 'base64']).meta({ description: 'With `hmac`: how the signature is written.', default: 'hex' }).optional(),
    tolerance: duration()
      .meta({ description: 'How old a signed moment may be, where the sender signs one.', default: '5 minutes' })
      .optional(),
    url: z.string().min(1).describe('With `hubspot`: the address as HubSpot calls it, which is part of what it signs.').optional(),
  })
  .describe('The signature of what is posted; without a right one it is refused.');
export type SignatureSettings = z.infer<typeof signatureSettings>;
