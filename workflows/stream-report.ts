import type { StreamPart, StreamReport } from '../schema/run.ts';

/** The report of a stream that has read nothing yet. */
export const emptyReport = ({ stream, target }: Pick<StreamPart, 'stream' | 'target'>): StreamReport => ({
  stream,
  target: `${target.schema}.${target.table}`,
  status: 'waiting',
  step: '',
  read: 0,
  loaded: 0,
  rejected: 0,
  filtered: 0,
  duplicates: 0,
  unchanged: 0,
  deleted: 0,
  bytes: 0,
  seconds: 0,
  notes: [],
});
