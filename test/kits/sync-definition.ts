import type { SyncDefinition } from '../../schema/sync-definition.ts';

const nowhere = { name: 'nowhere', type: 'postgres', settings: {} };

/** A sync's definition with defaults for what a test doesn't care about: `key` and `value` of a model to an application's things. */
export const defineSync = (more: Partial<SyncDefinition> = {}): SyncDefinition => ({
  format: 1,
  project: 'test',
  name: 'things',
  model: { name: 'model', sql: 'SELECT key, value FROM model', key: ['key'], after: [] },
  warehouse: nowhere,
  state: nowhere,
  to: { name: 'app', type: 'ledgered', settings: {} },
  object: 'things',
  match: [{ column: 'key', field: 'key' }],
  map: [{ column: 'value', field: 'value', whenNull: 'clear' }],
  mode: 'upsert',
  deletes: 'delete',
  maxDeleted: 0.5,
  maxRejected: { share: 0.5 },
  whenUnknown: 'at-most-once',
  mappingChange: 'ask',
  write: {},
  alerts: [],
  retention: { log: 30 * 86_400_000, runs: 90 * 86_400_000 },
  minInterval: 15_000,
  heartbeatTimeout: 60_000,
  ...more,
});
