import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { limit } from '../../workflows/limit.ts';
import { sql } from '../pipeline-kit.ts';
import { until } from '../workflows/until.ts';
import { openPlace, uniqueProject, type Place } from './place.ts';
import { openDestinations, type Destinations } from './sync-destinations.ts';
import { placeOf, syncSubject, type SyncSubject, type SyncSurvival, type SyncTrial } from './sync-trial.ts';
import type { SyncOrder } from './sync-worker.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

/** Trials that lose their worker at the same moment, each at its own point. */
export interface SyncGroup {
  /** `kill`: SIGKILL. `stop`: SIGSTOP, and SIGCONT after the runs have ended. `wake`: SIGCONT as soon as another worker has taken over. */
  readonly how: 'kill' | 'stop' | 'wake';
  readonly trials: readonly SyncTrial[];
}

type Worker = WorkerProcess<SyncOrder>;
const startWorker = (): Worker => startWorkerProcess<SyncOrder>('./sync-worker.ts');

interface Survivor {
  readonly subject: SyncSubject;
  failure: { readonly error: unknown } | undefined;
}

/** Does something with every trial that is still well; a trial that fails is left out of what follows. */
async function each(survivors: readonly Survivor[], work: (subject: SyncSubject) => Promise<void>): Promise<void> {
  const inTurn = limit(4);
  await Promise.all(
    survivors
      .filter(({ failure }) => failure === undefined)
      .map(async (survivor) => {
        try {
          await inTurn(() => work(survivor.subject));
        } catch (error) {
          survivor.failure = { error };
        }
      }),
  );
}

const well = (survivors: readonly Survivor[]): readonly SyncSubject[] =>
  survivors.filter(({ failure }) => failure === undefined).map(({ subject }) => subject);

/** Runs a group from its first runs to its last, and gives what became of each trial. */
async function runGroup(place: Place, destinations: Destinations, healthy: Worker, group: SyncGroup): Promise<readonly Result[]> {
  const project = uniqueProject();
  const opening: SyncOrder = { open: project, staging: join(place.folder, project), temporal: place.temporal, bundle: place.bundle };
  const survivors = group.trials.map((trial): Survivor => ({
    subject: syncSubject(place, destinations, project, trial),
    failure: undefined,
  }));
  await using worker = startWorker();
  await worker.ask(opening);
  await each(survivors, (subject) => subject.first());
  await worker.ask({ arm: well(survivors).map(({ fault }) => fault) });
  await each(survivors, (subject) => subject.begin());
  await each(survivors, ({ fault }) => until(() => existsSync(fault.marker), `arrival at ${fault.point}`));
  worker.child.kill(group.how === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  if (group.how === 'kill') await until(worker.gone, 'end of the worker');
  await each(survivors, (subject) => subject.lost());
  const epochs = await epochsOf(place, project);
  await healthy.ask(opening);
  if (group.how === 'wake') {
    await each(survivors, ({ definition: { name } }) =>
      until(async () => isLater(await epochsOf(place, project), epochs, name), 'taking over', 90),
    );
    await wake(worker, survivors);
  }
  await each(survivors, (subject) => subject.survive());
  if (group.how === 'stop') await assertHarmless(worker, survivors);
  await each(survivors, (subject) => subject.next());
  const results: Result[] = [];
  for (const survivor of survivors) {
    const found = await outcomeOf(survivor);
    results.push({ trial: survivor.subject.trial, how: group.how, ...found });
  }
  return results;
}

interface Result {
  readonly trial: SyncTrial;
  readonly how: SyncGroup['how'];
  readonly survival?: SyncSurvival;
  readonly error?: unknown;
}

async function outcomeOf({ subject, failure }: Survivor): Promise<Pick<Result, 'survival' | 'error'>> {
  if (failure !== undefined) return failure;
  try {
    return { survival: await subject.check() };
  } catch (error) {
    return { error };
  }
}

type Epochs = ReadonlyMap<string, number>;

async function epochsOf(place: Place, project: string): Promise<Epochs> {
  const rows = await sql(place.warehouse, 'SELECT sync, epoch FROM _millrace.syncs WHERE project = $1', [project]);
  return new Map(rows.map(({ sync, epoch }) => [sync ?? '', Number(epoch)]));
}

const isLater = (now: Epochs, before: Epochs, name: string): boolean => (now.get(name) ?? 0) > (before.get(name) ?? 0);

/** Lets a stopped worker go on, and ends it when it has done what it had begun. */
async function wake(worker: Worker, survivors: readonly Survivor[]): Promise<void> {
  for (const { subject } of survivors) writeFileSync(`${subject.fault.marker}.go`, '');
  worker.child.kill('SIGCONT');
  await worker.ask({ close: true });
}

/** A worker that comes back when all is over sends nothing, and writes nothing into the books. */
async function assertHarmless(worker: Worker, survivors: readonly Survivor[]): Promise<void> {
  const before = new Map(well(survivors).map((subject) => [subject, subject.writes()]));
  await wake(worker, survivors);
  await each(survivors, async (subject) => assert.equal(subject.writes(), before.get(subject), 'a worker that comes back sends nothing'));
}

const nameOf = (trial: SyncTrial): string => `${trial.point} in mode ${trial.mode} to ${placeOf(trial)}`;

const title = (how: SyncGroup['how'], trial: SyncTrial): string => {
  if (how === 'kill') return `goes on by itself after kill -9 at ${nameOf(trial)}`;
  return `is not harmed by a worker that is stopped at ${nameOf(trial)} and comes back ${how === 'wake' ? 'while another goes on' : 'afterwards'}`;
};

/** Prints what the trials did: kills, runs, effects and repeats of each point, mode and destination. */
function print(results: readonly Result[]): void {
  const lines = results.map(({ trial, how, survival }) =>
    [how, trial.point, trial.mode, placeOf(trial), survival?.runs ?? '', survival?.effects ?? '', survival?.repeats ?? ''].map(String),
  );
  const all = [['how', 'point', 'mode', 'destination', 'runs', 'effects', 'repeats'], ...lines];
  const widths = all[0]?.map((_, at) => Math.max(...all.map((line) => line[at]?.length ?? 0))) ?? [];
  for (const line of all) console.log(`    ${line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`);
  const sum = (of: keyof SyncSurvival): number => results.reduce((total, { survival }) => total + (survival?.[of] ?? 0), 0);
  console.log(`    ${results.length} workers lost by syncs, ${sum('runs')} runs, ${sum('effects')} effects, ${sum('repeats')} repeats`);
}

/** Tests of trials. Groups go on at the same time as far as `size` allows, because most of each is waiting. */
export function describeSyncGroups(groups: readonly SyncGroup[], size: number): void {
  let place: Place;
  let destinations: Destinations;
  const healthy = startLater();
  const going = new Map<SyncGroup, Promise<readonly Result[]>>();
  before(async () => {
    [place, destinations] = await Promise.all([openPlace(), openDestinations()]);
    const inTurn = limit(size);
    for (const group of groups) {
      const running = inTurn(() => runGroup(place, destinations, healthy.get(), group));
      running.catch(() => undefined);
      going.set(group, running);
    }
  });
  after(async () => {
    const settled = await Promise.allSettled(going.values());
    print(settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])));
    await healthy[Symbol.asyncDispose]();
    await destinations[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });
  for (const group of groups) {
    group.trials.forEach((trial, at) => {
      it(title(group.how, trial), async () => {
        const result = (await going.get(group))?.[at];
        assert.ok(result !== undefined);
        if (result.survival === undefined) throw result.error;
      });
    });
  }
}

/** The worker process that stays well, started when it is first asked for. */
function startLater(): { get(): Worker } & AsyncDisposable {
  let worker: Worker | undefined;
  return {
    get: () => (worker ??= startWorker()),
    [Symbol.asyncDispose]: async () => await worker?.[Symbol.asyncDispose](),
  };
}
