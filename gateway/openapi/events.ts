import type { GatewayDefinition } from '../../schema/gateway-definition.ts';
import { hasScope } from '../access/scopes.ts';
import type { Caller } from '../caller.ts';
import { changesDescription, changesParameters } from '../changes/openapi.ts';
import { triggeredSchema, triggerParameters } from '../triggers/openapi.ts';
import { ingestSection, type EventSchemas } from './ingest.ts';
import { headerRefs, json, problemRefs } from './responses.ts';
import type { Schema } from './schemas.ts';

interface Section {
  readonly paths: Readonly<Record<string, Schema>>;
  readonly schemas: Readonly<Record<string, Schema>>;
  readonly securitySchemes: Readonly<Record<string, Schema>>;
}

const detail = { type: 'object', required: ['at', 'message'], properties: { at: { type: 'string' }, message: { type: 'string' } } };
const count = { type: 'integer', minimum: 0 };
const accepted = {
  type: 'object',
  required: ['accepted', 'duplicates', 'rejected'],
  properties: {
    accepted: { ...count, description: 'Events that are on disk and will be loaded.' },
    duplicates: { ...count, description: 'Events whose id came before.' },
    rejected: {
      type: 'array',
      description:
        'Events that are not as the schema says, by their place in the array, or by their line where blank ones count too, from 0; they are not stored.',
      items: { type: 'object', required: ['index', 'errors'], properties: { index: count, errors: { type: 'array', items: detail } } },
    },
  },
};

const changes: Schema = {
  get: {
    tags: ['events'],
    operationId: 'changes',
    summary: 'Commits as they happen',
    description: changesDescription,
    parameters: changesParameters,
    responses: {
      '200': { description: 'Events.', headers: headerRefs(), content: { 'text/event-stream': { schema: { type: 'string' } } } },
      ...problemRefs('404', '410'),
    },
  },
};

function triggerPath(name: string, run: string): Schema {
  return {
    post: {
      tags: ['events'],
      operationId: `trigger_${name}`,
      summary: `Starts ${run}`,
      parameters: triggerParameters,
      responses: { '202': json('It runs.', triggeredSchema), ...problemRefs('404', '413') },
    },
  };
}

const graphql: Schema = {
  post: {
    tags: ['graphql'],
    operationId: 'graphql',
    summary: 'The same datasets over GraphQL',
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: {
            type: 'object',
            required: ['query'],
            properties: {
              query: { type: 'string' },
              variables: { type: ['object', 'null'] },
              operationName: { type: ['string', 'null'] },
              extensions: { type: ['object', 'null'] },
            },
          },
        },
      },
    },
    responses: { '200': json('What was asked for.', { type: 'object' }), ...problemRefs('406', '413', '415', '504') },
  },
};

/** Paths for events and GraphQL that the caller may use. */
export function eventSection(
  { ingests, triggers }: Pick<GatewayDefinition, 'ingests' | 'triggers'>,
  caller: Pick<Caller, 'scopes'>,
  schemas: EventSchemas,
): Section {
  const taking = ingests
    .filter(({ connection: { name } }) => hasScope(caller, `ingest:${name}`))
    .map(({ connection }) => ingestSection(connection, schemas.get(connection.name)));
  const started = triggers.filter(({ name }) => hasScope(caller, `trigger:${name}`));
  return {
    paths: Object.fromEntries([
      ['/graphql', graphql],
      ...taking.flatMap(({ paths }) => Object.entries(paths)),
      ...(hasScope(caller, 'changes') ? [['/changes', changes]] : []),
      ...started.map(({ name, run }) => [`/trigger/${name}`, triggerPath(name, run)]),
    ]),
    schemas: { accepted, ...Object.fromEntries(taking.flatMap(({ schemas: of }) => Object.entries(of))) },
    securitySchemes: Object.fromEntries(taking.flatMap(({ securitySchemes: of }) => Object.entries(of))),
  };
}
