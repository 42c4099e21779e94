/** Pieces of the OpenAPI document for `POST /trigger/<name>`. */
export const triggerPath = (name: string, run: string, isSigned: boolean) => ({
  post: {
    operationId: `trigger_${name}`,
    summary: `Start ${run}`,
    description: `Starts a run of ${run}, or joins the one under way. With a token of the scope \`trigger:${name}\`${isSigned ? ', or signed by the sender' : ''}.`,
    tags: ['triggers'],
    security: isSigned ? [{ token: [] }, {}] : [{ token: [] }],
    parameters: [
      {
        name: 'Idempotency-Key',
        in: 'header',
        description: 'Requests with the same key get the answer of the first, for ten minutes.',
        schema: { type: 'string', maxLength: 255 },
      },
    ],
    requestBody: { required: false, description: 'Anything; it is not read.', content: { '*/*': { schema: {} } } },
    responses: {
      '202': { description: 'The run.', content: { 'application/json': { schema: triggeredSchema } } },
    },
  },
});

/** Further answers that are problems, by status. */
export const triggerProblems: Readonly<Record<string, string>> = {
  '400': 'An Idempotency-Key that is too long.',
  '401': 'No good token or signature.',
  '403': 'The token lacks the scope.',
  '404': 'No such trigger.',
  '413': 'A body that is too large.',
  '429': 'Too many requests.',
  '503': 'The run can not be started just now.',
};

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
