import { z } from 'zod';
import { httpParts } from '../http/settings.ts';

export const hubspotSettings = z
  .strictObject({
    type: z.literal('hubspot').describe('HubSpot, as destination: records, associations and lists.'),
    token: z
      .string()
      .min(1)
      .describe(
        'Access token of a private app, only by reference. Scopes: `crm.objects.contacts.read` and `.write` and their like for each object, `crm.schemas.custom.read` for custom objects by name, `crm.lists.read` and `.write` for lists.',
      )
      .optional(),
    oauth: z
      .strictObject({
        client_id: z.string().min(1).describe("The app's client id."),
        client_secret: z.string().min(1).describe("The app's client secret, only by reference."),
        refresh_token: z.string().min(1).describe('Refresh token of the account that installed the app, only by reference.'),
      })
      .describe('In place of a token: a public app that the account has installed.')
      .optional(),
    url: z.url().meta({ description: 'Address of the API.', default: 'https://api.hubapi.com' }).optional(),
    ...httpParts,
  })
  .refine(({ token, oauth }) => (token === undefined) !== (oauth === undefined), 'give either token or oauth')
  .describe('A HubSpot account.');
export type HubspotSettings = z.infer<typeof hubspotSettings>;

export const hubspotWriteOptions = z
  .strictObject({
    gdpr_delete: z
      .boolean()
      .meta({
        description:
          'Deletes for good, as a request for erasure asks for, in place of moving records to the bin; rows go in batches of 10.',
        default: false,
      })
      .optional(),
    association_type: z
      .strictObject({
        category: z
          .enum(['HUBSPOT_DEFINED', 'USER_DEFINED', 'INTEGRATOR_DEFINED'])
          .meta({ description: 'Who has defined the label.', default: 'USER_DEFINED' })
          .optional(),
        id: z.int().min(1).describe('`associationTypeId` of the label.'),
      })
      .describe('Associations: the label to set and to take away. Default: without a label, and all labels are taken away.')
      .optional(),
  })
  .describe('How records and associations are written.');
export type HubspotWriteOptions = z.infer<typeof hubspotWriteOptions>;
