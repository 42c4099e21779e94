/** Pieces of the OpenAPI document for `GET /changes`. */
export const changesPath = {
  get: {
    operationId: 'changes',
    summary: 'Follow commits',
    description:
      'Server-sent events: one `committed` for each commit to what the token may read, as it happens. After a lost connection, the `Last-Event-ID` of the last event (browsers send it by themselves) or `cursor` gives all that was missed: each event at least once, in order.',
    tags: ['changes'],
    security: [{ token: [] }],
    parameters: [
      {
        name: 'api',
        in: 'query',
        description: 'Only these APIs, separated by commas. Default: all that the token may read.',
        schema: { type: 'string' },
        example: 'customers,orders',
      },
      {
        name: 'cursor',
        in: 'query',
        description: 'Begins behind this place: the `id` of an event. Default: now. The header wins.',
        schema: { type: 'string' },
      },
      { name: 'Last-Event-ID', in: 'header', description: 'The same, as browsers send it.', schema: { type: 'string' } },
    ],
    responses: {
      '200': {
        description: 'A stream of events: `event: committed`, `id: <cursor>`, and the change as `data`.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      },
    },
  },
} as const;

/** Further answers of `GET /changes` that are problems, by status. */
export const changesProblems: Readonly<Record<string, string>> = {
  '400': 'A parameter or a cursor that is none.',
  '401': 'No good token.',
  '403': 'The token lacks the scope `changes`, or its role sees no API.',
  '404': 'No such API, or none that the role sees.',
  '410': 'Changes behind the cursor are kept no longer: begin without one.',
  '429': 'Too many requests, or streams, of this token.',
  '503': 'No place for another stream, or the books do not answer.',
};

/** The `data` of an event. */
export const changeSchema = {
  type: 'object',
  description: 'A commit to what one or more APIs read.',
  required: ['id', 'apis', 'rows', 'at'],
  properties: {
    id: { type: 'string', description: 'The cursor behind this change.' },
    apis: { type: 'array', items: { type: 'string' }, description: 'APIs whose rows may be others now.' },
    rows: { type: ['integer', 'null'], description: 'Rows of the commit; null where the role does not see all rows.' },
    at: { type: 'string', format: 'date-time' },
  },
} as const;
