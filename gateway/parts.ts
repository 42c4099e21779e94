import type { Part } from './context.ts';
import { ingestPart } from './ingest/index.ts';
import { graphqlPart } from './graphql/index.ts';
import { restPart } from './rest/index.ts';

/** What the gateway serves. */
export const parts: readonly Part[] = [restPart, graphqlPart, ingestPart];
