import type { Settling } from '../../schema/sync.ts';
import { describeSyncGroups, type SyncGroup } from './sync-group.ts';
import type { SyncPoint } from './sync-points.ts';
import type { SyncTrial } from './sync-trial.ts';

const requests: readonly SyncPoint[] = ['plan', 'planned', 'send', 'sent', 'record', 'recorded'];
const withJobs: readonly SyncPoint[] = [...requests, 'poll', 'polled'];
const settling: readonly SyncPoint[] = ['find', 'found'];

const over = (points: readonly SyncPoint[], trials: readonly Omit<SyncTrial, 'point'>[]): readonly SyncTrial[] =>
  points.flatMap((point) => trials.map((trial) => ({ ...trial, point })));

/** Every point in every mode that each application has. */
const hubspot = over(requests, [
  ...(['insert', 'update', 'upsert', 'mirror'] as const).map((mode) => ({ destination: 'hubspot', mode }) as const),
  ...(['mirror', 'add', 'remove'] as const).map((mode) => ({ destination: 'hubspot', mode, list: true }) as const),
]);
const salesforce = over(
  withJobs,
  (['insert', 'update', 'upsert', 'mirror'] as const).map((mode) => ({ destination: 'salesforce', mode, jobs: true }) as const),
);
/** A job is set going by the first question, and told of by a later one. */
const asked = salesforce.map((trial): SyncTrial =>
  trial.point.startsWith('poll') && trial.mode !== 'update' ? { ...trial, arrival: 2 } : trial,
);
const ledgered = (['idempotency-key', 'lookup'] as const satisfies readonly Settling[]).flatMap((creates) =>
  over(['send', 'sent', 'record', 'recorded'], [{ destination: 'ledgered', mode: 'insert', creates }]),
);
const policies = (['at-most-once', 'at-least-once'] as const).flatMap((whenUnknown) =>
  over(['send', 'sent', 'record'], [{ destination: 'ledgered', mode: 'insert', creates: 'none', whenUnknown }]),
);
/** After an answer that was lost, which takes longer to come to. */
const settled = over(settling, [
  { destination: 'hubspot', mode: 'insert' },
  { destination: 'salesforce', mode: 'insert' },
  { destination: 'ledgered', mode: 'insert', creates: 'lookup' },
]);
const stopped = over(
  ['send', 'record'],
  [
    { destination: 'hubspot', mode: 'upsert' },
    { destination: 'hubspot', mode: 'insert' },
    { destination: 'salesforce', mode: 'insert' },
    { destination: 'salesforce', mode: 'mirror' },
  ],
);

/** As many trials as a worker has steps at the same time. */
const size = 12;

function groupsOf(how: SyncGroup['how'], trials: readonly SyncTrial[]): readonly SyncGroup[] {
  const groups: SyncGroup[] = [];
  for (let from = 0; from < trials.length; from += size) groups.push({ how, trials: trials.slice(from, from + size) });
  return groups;
}

const groups = [
  ...groupsOf('kill', settled),
  ...groupsOf('stop', stopped),
  ...groupsOf('wake', stopped),
  ...groupsOf('kill', [...hubspot, ...asked, ...ledgered, ...policies]),
];

describe(`a sync whose worker is killed or stopped: ${groups.flatMap(({ trials }) => trials).length} trials`, function () {
  this.timeout(600_000);
  describeSyncGroups(groups, 4);
});
