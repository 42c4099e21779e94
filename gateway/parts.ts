import { changesPart } from './changes/index.ts';
import { wakeWebhooksPart } from './changes/wake-webhooks.ts';
import type { Part } from './context.ts';
import { ingestPart } from './ingest/index.ts';
import { graphqlPart } from './graphql/index.ts';
import { openApiPart } from './openapi/index.ts';
import { docsPart } from './pages/docs.ts';
import { restPart } from './rest/index.ts';
import { triggersPart } from './triggers/index.ts';

/** What the gateway serves. */
export const parts: readonly Part[] = [
  restPart,
  openApiPart,
  docsPart,
  graphqlPart,
  ingestPart,
  changesPart,
  wakeWebhooksPart,
  triggersPart,
];
