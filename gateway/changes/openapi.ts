/** What `GET /changes` can be asked. */
export const changesParameters = [
  {
    name: 'api',
    in: 'query',
    description: 'Only these APIs, separated by commas. Default: all that the token may read.',
    schema: { type: 'string' },
  },
  {
    name: 'cursor',
    in: 'query',
    description: 'Begins behind this place: the `id` of an event. Default: now. The header wins.',
    schema: { type: 'string' },
  },
  { name: 'Last-Event-ID', in: 'header', description: 'The same, as browsers send it.', schema: { type: 'string' } },
] as const;

export const changesDescription =
  'Server-sent events, until the caller goes: one `committed` for each commit to what the token may read. Its data is `{"id", "apis", "rows", "at"}`: the cursor behind it, the APIs whose rows may be others now, how many rows (null where the role does not see all), and when. A `cursor` comes at the beginning and every 15 seconds in which nothing else does; its data is `{"id"}`. Behind a cursor comes all that was missed, each event at least once and in order.';
