import { z } from 'zod';
import { httpParts } from '../http/settings.ts';

export const brazeSettings = z
  .strictObject({
    type: z.literal('braze').describe('Braze, as destination: users, events and subscription groups.'),
    url: z.url().describe('REST endpoint of the workspace: `https://rest.iad-01.braze.com`.'),
    api_key: z
      .string()
      .min(1)
      .describe(
        'REST API key, only by reference. Permissions: `users.track`; `users.delete` to delete, `subscription.status.set` for subscription groups, `custom_attributes.get` so that `check` sees the attributes.',
      ),
    ...httpParts,
  })
  .describe('A Braze workspace.');
export type BrazeSettings = z.infer<typeof brazeSettings>;

export const brazeWriteOptions = z
  .strictObject({
    alias_label: z.string().min(1).describe('Users by `user_alias`: the label of the aliases that the column holds.').optional(),
    merge_objects: z
      .boolean()
      .meta({ description: 'Users: nested attributes are merged with what Braze has, in place of replacing it.', default: false })
      .optional(),
    event: z.string().min(1).describe('Events: the name of all of them. Default: the field `name`.').optional(),
    time: z.string().min(1).meta({ description: 'Events: the field that holds when it happened.', default: 'time' }).optional(),
    existing_only: z
      .boolean()
      .meta({
        description: 'Events: those of users that Braze does not have are dropped by it, in place of making the users.',
        default: false,
      })
      .optional(),
  })
  .describe('How users and events are written.');
export type BrazeWriteOptions = z.infer<typeof brazeWriteOptions>;
