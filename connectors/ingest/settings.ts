import { z } from 'zod';
import { size } from '../../schema/quantity.ts';
import { signatureSettings } from '../../schema/signature.ts';
import type { SegmentKeys } from './sealed-segment.ts';

/** What a setting of an ingest connection is when the file doesn't give it. */
export const ingestDefaults = { max_pending: '1 GB' } as const;

export const ingestSettings = z
  .strictObject({
    type: z.literal('ingest').describe('Events that are posted to the gateway (`POST /ingest/<connection>`), as source.'),
    schema: z
      .string()
      .min(1)
      .describe(
        'File of the JSON Schema (2020-12) of an event, relative to the project file or absolute; its properties are the columns. A changed file is taken up at once.',
      ),
    key: z
      .string()
      .min(1)
      .describe(
        'The property that identifies an event: one that comes again is dropped. Default: the header `Idempotency-Key`, and a column `_event_id`.',
      )
      .optional(),
    verify: signatureSettings.optional(),
    max_pending: size()
      .meta({
        description: 'Bytes that wait to be loaded; the gateway refuses more (503) until they are.',
        default: ingestDefaults.max_pending,
      })
      .optional(),
  })
  .describe('Events over HTTP, durable before they are answered.');
export type IngestSettings = z.infer<typeof ingestSettings>;

/** What the connector is opened with: the worker adds where the gateway of the project puts the events, and the keys of staging. */
export const openedIngestSettings = ingestSettings.extend({ folder: z.string().optional(), keys: z.custom<SegmentKeys>().optional() });
export type OpenedIngestSettings = z.infer<typeof openedIngestSettings>;
