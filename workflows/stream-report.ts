import type { StreamPart, StreamReport } from '../schema/run.ts';

/** Counts of a load that had no row. */
export const noRows = { read: 0, loaded: 0, rejected: 0, filtered: 0, duplicates: 0, unchanged: 0, deleted: 0 } as const;

/** The report of a stream that has read nothing yet. */
export const emptyReport = ({ stream, target }: Pick<StreamPart, 'stream' | 'target'>): StreamReport => ({
  stream,
  target: `${target.schema}.${target.table}`,
  status: 'waiting',
  step: '',
  ...noRows,
  bytes: 0,
  seconds: 0,
  notes: [],
});
