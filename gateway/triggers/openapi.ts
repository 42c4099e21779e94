/** What `POST /trigger/<name>` can be asked. */
export const triggerParameters = [
  {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'Requests with the same key get the answer of the first, for ten minutes, of the same gateway.',
    schema: { type: 'string', maxLength: 255 },
  },
] as const;

/** Its answer. */
export const triggeredSchema = {
  type: 'object',
  required: ['workflowId', 'runId', 'joined', 'repeated'],
  properties: {
    workflowId: { type: 'string' },
    runId: { type: 'string' },
    joined: { type: 'boolean', description: 'A run was under way already, and this is it.' },
    repeated: { type: 'boolean', description: 'The same request came before, and this is its answer.' },
  },
} as const;
