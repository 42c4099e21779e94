import { z } from 'zod';
import { authSettings, httpParts } from '../http/settings.ts';
import { objectDeclarations } from './declaration.ts';

/** Templates that come with Millrace. */
const templateNames = ['mailchimp', 'intercom'] as const;
export type TemplateName = (typeof templateNames)[number];

export const templateSettings = z
  .strictObject({
    type: z
      .literal('http')
      .describe('Any API over HTTP, as destination: by a template that comes with Millrace, or by objects declared here.'),
    url: z.url().describe('Address that all paths are below: `https://api.example.com/v2`.'),
    auth: authSettings.optional(),
    headers: z.record(z.string(), z.string()).describe('Headers of every request; secrets belong into auth.').optional(),
    template: z.enum(templateNames).describe('What is known of an API.').optional(),
    check: z.string().min(1).describe('A path that answers GET with 2xx when the credential works; `check` asks for it.').optional(),
    objects: objectDeclarations.optional(),
    ...httpParts,
  })
  .describe('An API over HTTP.');
export type TemplateSettings = z.infer<typeof templateSettings>;

/** Options are those that the template's objects declare. */
export const templateWriteOptions = z.looseObject({}).describe('Options that the object declares.');
