import { describeSyncGroups, type SyncGroup } from './sync-group.ts';

/** One of each point, over three applications; then workers that come back. */
const groups: readonly SyncGroup[] = [
  {
    how: 'kill',
    trials: [
      { destination: 'salesforce', mode: 'insert', point: 'found' },
      { destination: 'hubspot', mode: 'insert', point: 'find' },
    ],
  },
  {
    how: 'kill',
    trials: [
      { destination: 'hubspot', mode: 'update', point: 'plan' },
      { destination: 'hubspot', mode: 'mirror', point: 'planned' },
      { destination: 'hubspot', mode: 'upsert', point: 'send', arrival: 2 },
      { destination: 'hubspot', mode: 'insert', point: 'sent' },
      { destination: 'hubspot', mode: 'add', list: true, point: 'record' },
      { destination: 'salesforce', mode: 'upsert', jobs: true, point: 'recorded' },
      { destination: 'salesforce', mode: 'insert', jobs: true, point: 'poll', arrival: 2 },
      { destination: 'salesforce', mode: 'mirror', jobs: true, point: 'polled', arrival: 2 },
      { destination: 'ledgered', mode: 'insert', creates: 'idempotency-key', point: 'sent' },
      { destination: 'ledgered', mode: 'insert', creates: 'none', whenUnknown: 'at-most-once', point: 'sent' },
      { destination: 'ledgered', mode: 'insert', creates: 'none', whenUnknown: 'at-least-once', point: 'record' },
    ],
  },
  {
    how: 'wake',
    trials: [
      { destination: 'hubspot', mode: 'insert', point: 'send' },
      { destination: 'salesforce', mode: 'mirror', jobs: true, point: 'polled', arrival: 2 },
    ],
  },
];

describe('a sync whose worker is killed or stopped', function () {
  this.timeout(300_000);
  describeSyncGroups(groups, 4);
});
