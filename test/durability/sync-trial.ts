import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { plainSync, runOutcome, startRun, type StartedRun } from '../../client/runs.ts';
import type { SyncDefinition } from '../../schema/sync-definition.ts';
import type { Settling, SyncOptions, SyncReport } from '../../schema/sync.ts';
import type { Effect } from '../fakes/fake.ts';
import { defineSync } from '../kits/sync-definition.ts';
import { sql } from '../pipeline-kit.ts';
import { postgresConnection } from '../sync-kit.ts';
import { assertLedgerIs, assertNoneSkipped, assertSyncBooksBalance, countRepeats, openKeys, repeated } from './sync-checks.ts';
import type { Destination, DestinationName, Destinations, Thing, Wanted } from './sync-destinations.ts';
import type { SyncFault, SyncPoint } from './sync-points.ts';
import type { Place } from './place.ts';

/** A run of a sync in the course of which its worker is lost. */
export interface SyncTrial {
  readonly destination: DestinationName;
  readonly mode: SyncDefinition['mode'];
  readonly point: SyncPoint;
  /** Which arrival at the point counts. */
  readonly arrival?: number;
  readonly list?: true;
  readonly jobs?: true;
  readonly creates?: Settling;
  readonly whenUnknown?: SyncDefinition['whenUnknown'];
}

export const placeOf = ({ destination, list, jobs, creates, whenUnknown }: SyncTrial): string =>
  [destination, list && 'lists', jobs && 'jobs', creates, whenUnknown].filter((part) => part !== undefined).join(' ');

/** What a trial came to. */
export interface SyncSurvival {
  readonly runs: number;
  readonly effects: number;
  /** Effects that gave an object what it had already. */
  readonly repeats: number;
}

/** What one trial works with. */
export interface SyncSubject {
  readonly trial: SyncTrial;
  readonly definition: SyncDefinition;
  readonly fault: SyncFault;
  readonly effects: () => readonly Effect[];
  /** Requests so far that could have had an effect. */
  readonly writes: () => number;
  /** A run before anything is lost; some rows are refused. */
  first(): Promise<void>;
  /** Changes the model, and begins the run that loses its worker. */
  begin(): Promise<void>;
  /** The worker is lost: notes what nobody knows now. */
  lost(): Promise<void>;
  /** The run ends well with another worker. */
  survive(): Promise<void>;
  /** Refused rows are accepted now, and rows have changed again: a run delivers all of it. */
  next(): Promise<void>;
  check(): Promise<SyncSurvival>;
}

let made = 0;

/** Numbers of the rows that are refused at first, and of those that are refused in the run that loses its worker. */
const refusedFirst = [3, 77];
const refusedThen = { added: [242, 244], addedLast: [298, 299], changed: [10] };

/** Which rows of a trial are refused. What is taken out of a list never is. */
function refusedBy({ mode, list, creates }: SyncTrial): {
  readonly refusedBefore: readonly number[];
  readonly refusedNow: readonly number[];
} {
  if (mode === 'remove') return { refusedBefore: [], refusedNow: [] };
  const followsChanges = mode === 'update' || mode === 'upsert' || (mode === 'mirror' && list !== true);
  // What is parked is told by who runs the sync to be there, or not: no row of it is refused.
  const added = creates === 'none' ? refusedThen.addedLast : refusedThen.added;
  return { refusedBefore: refusedFirst, refusedNow: [...added, ...(followsChanges ? refusedThen.changed : [])] };
}

/** Makes the subject of a trial: a model of 240 rows, in a table of its own. */
export function syncSubject(place: Place, destinations: Destinations, project: string, trial: SyncTrial): SyncSubject {
  made += 1;
  const codes = made * 1000;
  const name = `t${project.slice(-6)}x${made}`;
  const table = `model_${name}`;
  const { mode, point, list = false, jobs = false, creates = 'lookup', whenUnknown = 'at-most-once', arrival = 1 } = trial;
  const destination: Destination = destinations[trial.destination];
  const wanted: Wanted = { name, mode, list, jobs, creates };
  const warehouse = postgresConnection('warehouse', place.warehouse);
  const definition = defineSync({
    project,
    name,
    warehouse,
    state: warehouse,
    model: { name: 'model', sql: `SELECT key, value, code FROM ${table}`, key: ['key'], after: [] },
    ...destination.definition(wanted),
    mode,
    whenUnknown,
    heartbeatTimeout: 2500,
  });
  const query = (text: string) => sql(place.warehouse, text);
  const keyOf = (no: number): string => `${name}-${no}@trial.test`;
  const things = (nos: readonly number[]): readonly Thing[] => nos.map((no) => ({ key: keyOf(no), value: 'seed', code: codes + no }));
  const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at + 1);
  const rows = (from: number, to: number, version: number): string =>
    `SELECT '${name}-' || i || '@trial.test', 'v${version} ' || i, ${codes} + i FROM generate_series(${from}, ${to}) i`;
  const { refusedBefore, refusedNow } = refusedBy(trial);
  const effects = (): readonly Effect[] => destination.effects.filter(({ key }) => key.startsWith(`${name}-`));
  const runnable = { kind: 'sync', definition } as const;
  const start = (options: Partial<SyncOptions> = {}): Promise<StartedRun> =>
    startRun(place.client, runnable, { ...plainSync, ...options }, 'test');
  const ended = async (run: StartedRun): Promise<SyncReport> => {
    const outcome = await runOutcome(place.client, runnable, run);
    assert.ok(outcome.ok && outcome.sync !== undefined, JSON.stringify(outcome));
    return outcome.sync;
  };
  const parks = creates === 'none' && whenUnknown === 'at-most-once';
  const flags = creates === 'none' && whenUnknown === 'at-least-once';
  let going: StartedRun | undefined;
  let inDoubt: readonly string[] = [];
  const fault = { sync: name, point, arrival, marker: join(place.folder, `${name}.met`) };

  return {
    trial,
    definition,
    fault,
    effects,
    writes: () => destination.writes(wanted),
    async first() {
      await query(`CREATE TABLE ${table} (key text, value text, code integer); INSERT INTO ${table} ${rows(1, 240, 1)}`);
      if (mode === 'update' || list) destination.seed(wanted, things(upTo(310)), mode === 'remove');
      destination.poison(wanted, things(refusedBefore));
      const report = await ended(await start());
      assert.equal(report.rejected, refusedBefore.length, 'refused at first');
    },
    async begin() {
      destination.heal(wanted, things(refusedBefore));
      await query(
        `UPDATE ${table} SET value = 'v2 ' || code WHERE code % 2 = 0; DELETE FROM ${table} WHERE code % 10 = 1; INSERT INTO ${table} ${rows(241, 300, 2)}`,
      );
      destination.poison(wanted, things(refusedNow));
      if (point === 'find' || point === 'found') destination.loseAnswer(wanted);
      going = await start();
    },
    async lost() {
      assert.ok(existsSync(fault.marker), `${name} never came to ${point}`);
      const [sent, unknown] = await Promise.all(['sent', 'unknown'].map((outcome) => openKeys(place.warehouse, definition, outcome)));
      if (creates === 'none') await assertInDoubt([...(sent ?? []), ...(unknown ?? [])].toSorted());
    },
    async survive() {
      assert.ok(going !== undefined);
      const report = await ended(going);
      assert.equal(report.rejected, refusedNow.length, 'refused in the run that lost its worker');
      const unknown = parks ? inDoubt : [];
      assert.deepEqual(await openKeys(place.warehouse, definition, 'unknown'), unknown, 'parked are just the rows that were handed over');
    },
    async next() {
      destination.heal(wanted, things(refusedNow));
      await query(`UPDATE ${table} SET value = 'v3 ' || code WHERE code % 7 = 0; INSERT INTO ${table} ${rows(301, 310, 3)}`);
      const parked = (await openKeys(place.warehouse, definition, 'unknown')).length > 0;
      const report = await ended(await start(parked ? { unknown: point === 'send' ? 'lost' : 'sent' } : {}));
      assert.deepEqual([report.rejected, report.unknown], [0, 0], 'nothing is refused any more');
      assert.equal(report.again, refusedNow.length, 'refused rows are planned again');
    },
    async check() {
      const held = destination.held(wanted);
      // On a list that rows are taken out of, the ledger has those that are no members any more.
      const members = new Set(held.map(({ key }) => key));
      const acknowledged = mode === 'remove' ? things(upTo(310)).filter(({ key }) => !members.has(key)) : held;
      await assertLedgerIs(place.warehouse, { ...definition, map: mode === 'remove' ? [] : definition.map }, acknowledged);
      await assertNoneSkipped(place.warehouse, definition);
      await assertSyncBooksBalance(place.warehouse, definition, 3);
      for (const outcome of ['sent', 'rejected', 'unknown', 'invalid'])
        assert.deepEqual(await openKeys(place.warehouse, definition, outcome), [], outcome);
      const mayDouble = flags && point !== 'send' ? inDoubt : [];
      assert.deepEqual([...repeated(effects(), ['create', 'add']).keys()].toSorted(), [...mayDouble].toSorted(), 'no second create');
      assert.deepEqual([...repeated(effects(), ['delete', 'remove']).keys()], [], 'nothing is removed twice');
      if (flags) await assertFlagged();
      return { runs: 3, effects: effects().length, repeats: countRepeats(effects()) };
    },
  };

  /** Noted as sent are just the rows of the requests whose outcome isn't stored. */
  async function assertInDoubt(noted: readonly string[]): Promise<void> {
    inDoubt = noted;
    const ledger = await query(`SELECT key FROM _millrace.ledger WHERE sync = '${name}'`);
    const known = new Set(ledger.map(({ key }) => key));
    const unrecorded = effects().filter(({ key }) => !known.has(key));
    assert.ok(inDoubt.length > 0, 'rows were handed over');
    if (point === 'send') assert.deepEqual(unrecorded, []);
    else assert.deepEqual(unrecorded.map(({ key }) => key).toSorted(), [...inDoubt].toSorted());
  }

  async function assertFlagged(): Promise<void> {
    const flagged = await query(
      `SELECT DISTINCT key COLLATE "C" AS key FROM _millrace.sync_log WHERE sync = '${name}' AND reason LIKE 'sent again after a missing answer%' ORDER BY 1`,
    );
    assert.deepEqual(
      flagged.map(({ key }) => key),
      inDoubt,
    );
  }
}
