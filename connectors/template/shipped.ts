import type { Template } from './declaration.ts';
import { intercom } from './intercom.ts';
import { mailchimp } from './mailchimp.ts';
import type { TemplateName } from './settings.ts';

/** Templates that come with Millrace, by the name that a connection gives. */
export const shipped: Readonly<Record<TemplateName, Template>> = { mailchimp, intercom };
