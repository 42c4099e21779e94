import { followEventSchema, readEventSchema } from '../../connectors/ingest/event-schema.ts';
import { ingestSettings, type IngestSettings } from '../../connectors/ingest/settings.ts';
import type { GatewayDefinition, IngestDefinition } from '../../schema/gateway-definition.ts';
import type { SignatureSettings } from '../../schema/signature.ts';
import { embeddedSchema } from './event-schema.ts';
import { json, problemRefs } from './responses.ts';
import type { Schema } from './schemas.ts';

type Connection = IngestDefinition['connection'];
type Ingests = Pick<GatewayDefinition, 'ingests'>;
type Named = Readonly<Record<string, Schema>>;

/** JSON Schemas of the events, by connection; one that can't be read isn't among them. */
export type EventSchemas = ReadonlyMap<string, object>;

const settingsOf = ({ settings }: Connection): IngestSettings => ingestSettings.parse(settings);

/** Throws `config` for a schema that is none. */
export async function readEventSchemas({ ingests }: Ingests): Promise<EventSchemas> {
  const read = ingests.map(async ({ connection }) => {
    const { schema, key } = settingsOf(connection);
    return [connection.name, (await readEventSchema(schema, key)).document] as const;
  });
  return new Map(await Promise.all(read));
}

/** Gives the schemas as their files have them now; while a changed one is wrong, the one before. */
export function followEventSchemas({ ingests }: Ingests): () => Promise<EventSchemas> {
  const followed = ingests.map(({ connection }) => {
    const { schema, key } = settingsOf(connection);
    // The part that takes the events says so.
    return [connection.name, followEventSchema(schema, key, () => undefined)] as const;
  });
  return async () => {
    const found = followed.map(async ([name, schema]) => {
      const now = await schema().catch(() => undefined);
      return now === undefined ? [] : ([[name, now.document]] as const);
    });
    return new Map((await Promise.all(found)).flat());
  };
}

const signatureHeaders: Readonly<Record<SignatureSettings['kind'], string>> = {
  github: 'X-Hub-Signature-256',
  stripe: 'Stripe-Signature',
  hubspot: 'X-HubSpot-Signature-v3',
  hmac: 'X-Signature',
};

const signatureScheme = ({ kind, header }: SignatureSettings): Schema => ({
  type: 'apiKey',
  in: 'header',
  name: header ?? signatureHeaders[kind],
  description: `The signature of the body as its sender (${kind}) makes it, in place of a token.`,
});

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The same for the same delivery of this caller.',
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~][ -~]*$' },
};

/** An event as it is taken: the schema of the connection, and the key that must have a value. */
function eventOf(document: object | undefined, key: string | undefined, place: string): Schema {
  const embedded = embeddedSchema(document ?? {}, place);
  const given: readonly unknown[] = Array.isArray(embedded['required']) ? embedded['required'] : [];
  const required = [...new Set([...given, ...(key === undefined ? [] : [key])])];
  return { ...embedded, type: 'object', ...(required.length === 0 ? {} : { required }) };
}

/** What OpenAPI says of an ingest connection: events have its schema, one by one, in an array, or one in each line. */
export function ingestSection(connection: Connection, document: object | undefined) {
  const { name } = connection;
  const { key, verify } = settingsOf(connection);
  const component = `${name}.event`;
  const place = `#/components/schemas/${component}`;
  const event = { $ref: place };
  const events = { type: 'array', items: event };
  const signature = `${name}.signature`;
  const post = {
    tags: ['events'],
    operationId: `ingest_${name}`,
    summary: `Takes events of ${name}`,
    description: [
      'Answered once the events are on disk; they are in the warehouse seconds later, each once.',
      'Of several events, those that are not as the schema says are refused, and told by their place; the others are taken.',
      ...(key === undefined ? [] : [`\`${key}\` identifies an event: one that comes again is dropped.`]),
    ].join(' '),
    ...(verify === undefined ? {} : { security: [{ [signature]: [] }] }),
    parameters: [idempotencyKey],
    requestBody: {
      required: true,
      content: {
        'application/json': { schema: { anyOf: [event, events] } },
        'application/x-ndjson': {
          schema: {
            type: 'string',
            description: 'An event in each line.',
            contentMediaType: 'application/x-ndjson',
            contentSchema: events,
          },
        },
      },
    },
    responses: {
      '202': json('Taken.', { $ref: '#/components/schemas/accepted' }, 'RateLimit', 'RateLimit-Policy'),
      ...problemRefs('404', '413', '415', '422'),
    },
  };
  const schemas: Named = { [component]: eventOf(document, key, place) };
  const securitySchemes: Named = verify === undefined ? {} : { [signature]: signatureScheme(verify) };
  const paths: Named = { [`/ingest/${name}`]: { post } };
  return { paths, schemas, securitySchemes };
}
