import { z } from 'zod';
import { duration, parseDuration, unlike } from '../../schema/quantity.ts';
import type { Limits } from './stores.ts';

/** Requests and milliseconds of `190 per 10s` or `400 per minute`; undefined when it isn't a rate. */
export function parseRate(text: string): Limits['rate'] {
  const match = /^(\d+)\s*(?:per|\/)\s*(\S.*)$/i.exec(text.trim());
  const requests = Number(match?.[1] ?? 0);
  const time = match?.[2] ?? '';
  const per = parseDuration(time) ?? parseDuration(`1 ${time}`);
  return requests > 0 && per !== undefined ? { requests, per } : undefined;
}

const secret = (what: string): z.ZodString => z.string().min(1).describe(`${what}, only by reference.`);
const tokenUrl = z.string().min(1).describe('Address of the authorization server that gives tokens, `https://…/token`.');
const scope = z.string().min(1).describe('Scopes to ask for, separated by spaces.').optional();

/** How requests of a connection are authorized. */
export const authSettings = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('bearer').describe('A token that is sent as it is (`Authorization: Bearer …`).'),
      token: secret('The token'),
    }),
    z.strictObject({
      type: z.literal('basic').describe('User and password (`Authorization: Basic …`).'),
      user: z.string().describe('Name of the user.'),
      password: z.string().describe('Password, only by reference.'),
    }),
    z
      .strictObject({
        type: z.literal('api-key').describe('A key in a header or in a parameter of the address.'),
        header: z.string().min(1).describe('Name of the header: `X-Api-Key`.').optional(),
        query: z.string().min(1).describe('Name of the parameter, where the API takes no header.').optional(),
        value: secret('The key'),
      })
      .refine(({ header, query }) => (header === undefined) !== (query === undefined), 'give either header or query'),
    z.strictObject({
      type: z.literal('oauth2').describe('OAuth 2 tokens that Millrace fetches and keeps.'),
      grant: z.enum(['client_credentials', 'refresh_token']).describe('How tokens are got.'),
      token_url: tokenUrl,
      client_id: z.string().min(1).describe("The client's id."),
      client_secret: secret("The client's secret"),
      scope,
      refresh_token: secret('For `refresh_token`: the first one; what the server gives in its place is kept encrypted').optional(),
      send_secret_in: z
        .enum(['body', 'header'])
        .meta({ description: 'Where the authorization server looks for the secret of the client.', default: 'body' })
        .optional(),
    }),
    z.strictObject({
      type: z.literal('jwt-bearer').describe('A signed assertion (RFC 7523) that is exchanged for a token.'),
      token_url: tokenUrl,
      issuer: z.string().min(1).describe("Who signs: the client's id."),
      subject: z.string().min(1).describe('Who is acted for: a user.'),
      audience: z.string().min(1).describe('Whom the assertion is for, as the authorization server says.'),
      private_key: secret('Private key as PEM'),
      algorithm: z.enum(['RS256', 'ES256']).describe('How the assertion is signed.'),
      scope,
    }),
  ])
  .refine((auth) => auth.type !== 'oauth2' || auth.grant !== 'refresh_token' || auth.refresh_token !== undefined, {
    message: 'grant refresh_token needs a refresh_token',
    path: ['refresh_token'],
  })
  .describe('How requests are authorized.');
export type AuthSettings = z.infer<typeof authSettings>;

const notRate = unlike('a rate', 'such as "190 per 10s" or "400 per minute"', (amount) => [`${amount} per second`, `${amount} per minute`]);

/** Parts of a connection's settings that every application over HTTP has, to be spread into its own. */
export const httpParts = {
  allow_private: z.boolean().meta({ description: 'Whether addresses may be in a private network.', default: false }).optional(),
  request_timeout: duration()
    .meta({ description: 'How long one request may take, from connecting to the last byte of its answer.', default: '30s' })
    .optional(),
  rate: z
    .string({ error: notRate })
    .refine((text) => parseRate(text) !== undefined, { error: notRate })
    .describe('Requests in a time that all workers together keep to, where it differs from what the application is known to allow.')
    .optional(),
  concurrency: z.int().min(1).max(1000).describe('Requests under way at the same time, of all workers together.').optional(),
  daily: z.int().min(1).describe('Requests of a day (UTC), of all workers together.').optional(),
};

const httpSettings = z.strictObject({ auth: authSettings.optional(), ...httpParts });

/** What the HTTP client reads of a connection's settings. */
export type HttpSettings = z.infer<typeof httpSettings>;

/** Default of `request_timeout`. */
export const defaultRequestTimeout = '30s';

/** Limits of a connection: what its settings say, else what the vendor is known to allow. */
export function limitsOf(settings: HttpSettings, vendor: Limits = {}): Limits {
  const rate = settings.rate === undefined ? vendor.rate : parseRate(settings.rate);
  const concurrency = settings.concurrency ?? vendor.concurrency;
  const daily = settings.daily ?? vendor.daily;
  return {
    ...(rate === undefined ? {} : { rate }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(daily === undefined ? {} : { daily }),
  };
}
