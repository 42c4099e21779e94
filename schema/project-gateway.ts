import { z } from 'zod';
import { rate } from './project-api.ts';
import { duration, size, unlike } from './quantity.ts';
import { signatureSettings } from './signature.ts';

/** What a setting of the gateway is when the file doesn't give it. */
export const gatewayDefaults = {
  listen: '127.0.0.1:8088',
  timeout: '5s',
  export_timeout: '5 minutes',
  body: '1 MB',
  concurrency: 64,
  connections: 10,
  rate: { role: '6000/min', all: '60000/min', ingest: '600000/min' },
  cache_size: '64 MB',
  audit: '365 days',
  max_cost: 10_000,
  max_depth: 6,
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  role_claim: 'role',
} as const;

const secret = (description: string): z.ZodString => z.string().describe(`${description} By reference.`);

export const jwtSettings = z
  .strictObject({
    issuer: z.string().min(1).describe('`iss` that a token must have.'),
    audience: z.string().min(1).describe('`aud` that a token must have.'),
    jwks: z.string().min(1).describe("Address or file of the issuer's public keys (JWKS)."),
    algorithms: z
      .array(z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']))
      .min(1)
      .meta({ description: 'Signatures that are accepted.', default: gatewayDefaults.algorithms })
      .optional(),
    role_claim: z.string().min(1).meta({ description: 'The claim that names the role.', default: gatewayDefaults.role_claim }).optional(),
    max_age: duration().describe('The oldest `iat` that is accepted.').optional(),
    allow_private: z.boolean().meta({ description: 'Whether `jwks` may be in a private network.', default: false }).optional(),
  })
  .describe('Tokens of an identity provider.');

const identifier = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, 'must be a name: letters, digits, "_" and "-", beginning with a letter, at most 63');

export const outgoingWebhookSettings = z
  .strictObject({
    to: z.string().min(1).describe('A webhook connection; its `secret` signs.'),
    datasets: z
      .array(z.string().regex(/^[^.]+\.[^.]+$/, 'must be a schema and a table, as in "marts.customers" or "marts.*"'))
      .min(1)
      .describe('Schema and table of the datasets whose commits are told; `marts.*` takes all of a schema.'),
  })
  .describe('Commits, told to an address: signed, and tried again until it takes them.');

export const triggerSettings = z
  .strictObject({
    run: z.string().min(1).describe('The pipeline, model or sync that is started.'),
    verify: signatureSettings.optional(),
  })
  .describe('Starts a run when something is posted to `/trigger/<name>`: with a signature, or a token of the scope `trigger:<name>`.');

const notListen = unlike('an address and a port', 'as in "127.0.0.1:8088"', (port) => [`127.0.0.1:${port}`]);

export const gatewaySettings = z
  .strictObject({
    listen: z
      .string({ error: notListen })
      .regex(/^(\[[^\]]+\]|[^:]+):\d{1,5}$/, { error: notListen })
      .meta({
        description: 'Address and port. Other addresses than this machine itself want `tls`, or `behind_proxy`.',
        default: gatewayDefaults.listen,
      })
      .optional(),
    role: z
      .string()
      .min(1)
      .describe(
        'Role of the database that datasets are read as (`SET ROLE`): one that may read them and nothing else. It must not bypass row-level security.',
      )
      .optional(),
    tls: z
      .strictObject({
        cert: z.string().min(1).describe('File of the certificate and its chain. A changed file is taken up within seconds.'),
        key: z.string().min(1).describe('File of the private key.'),
      })
      .describe('HTTPS.')
      .optional(),
    behind_proxy: z
      .boolean()
      .meta({ description: 'A proxy in front ends TLS; its X-Forwarded-For is believed.', default: false })
      .optional(),
    jwt: jwtSettings.optional(),
    cors: z.array(z.string().min(1)).describe('Origins of browsers that may call. Default: none.').optional(),
    redis: z
      .strictObject({ url: z.string().min(1).describe('`redis://…` or `rediss://…`; a password only by reference.') })
      .describe('Shares cache and rate limits between gateways.')
      .optional(),
    mask_key: secret('Key of `mask: hash`; a new key gives new hashes.').optional(),
    rate: z
      .strictObject({
        role: rate().meta({ description: 'Requests of all callers of a role.', default: gatewayDefaults.rate.role }).optional(),
        all: rate().meta({ description: 'Requests of everybody, but for events.', default: gatewayDefaults.rate.all }).optional(),
        ingest: rate()
          .meta({
            description: 'Requests of one token, or of all that are signed, at one ingest connection; a batch is one.',
            default: gatewayDefaults.rate.ingest,
          })
          .optional(),
      })
      .describe('Limits beside those of each API.')
      .optional(),
    timeout: duration()
      .meta({ description: 'The longest a request may take in the database.', default: gatewayDefaults.timeout })
      .optional(),
    export_timeout: duration()
      .meta({ description: 'The same for NDJSON and CSV of all rows.', default: gatewayDefaults.export_timeout })
      .optional(),
    body: size().meta({ description: 'The largest body of a request.', default: gatewayDefaults.body }).optional(),
    concurrency: z
      .number()
      .int()
      .min(1)
      .meta({
        description: 'Requests that wait for the database at a time; more are told to come back (503).',
        default: gatewayDefaults.concurrency,
      })
      .optional(),
    connections: z
      .number()
      .int()
      .min(1)
      .max(200)
      .meta({
        description: 'Connections to the warehouse. Exports (NDJSON, CSV) have half of them at a time; more are told to come back (503).',
        default: gatewayDefaults.connections,
      })
      .optional(),
    cache_size: size().meta({ description: 'Memory that kept answers may take.', default: gatewayDefaults.cache_size }).optional(),
    graphql: z
      .strictObject({
        max_depth: z
          .number()
          .int()
          .min(1)
          .max(20)
          .meta({
            description: 'Levels of datasets in a query: an API is one, each relation below it one more.',
            default: gatewayDefaults.max_depth,
          })
          .optional(),
        max_cost: z
          .number()
          .int()
          .min(1)
          .meta({
            description: 'Rows that a query may ask for at most: `first`, `last` and `limit`, multiplied through its levels.',
            default: gatewayDefaults.max_cost,
          })
          .optional(),
        graphiql: z.boolean().describe('The page to try it. Default: where it listens to this machine alone.').optional(),
      })
      .describe('Limits of GraphQL.')
      .optional(),
    webhooks: z.record(identifier, outgoingWebhookSettings).describe('Name to a webhook that tells of commits.').optional(),
    triggers: z.record(identifier, triggerSettings).describe('Name to a run that is started by a post.').optional(),
    audit: duration().meta({ description: 'How long the audit log is kept.', default: gatewayDefaults.audit }).optional(),
  })
  .describe('The server of `apis`, ingest connections and changes.');
export type GatewaySettings = z.infer<typeof gatewaySettings>;
