import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runOutcome, startRun, type Runnable, type RunOutcome, type StartedRun } from '../../client/runs.ts';
import type { PipelineDefinition, StreamDefinition } from '../../schema/definition.ts';
import { limit } from '../../workflows/limit.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { pipelineOf } from '../pipeline-kit.ts';
import { until } from '../workflows/until.ts';
import { eventsOf, stepsOf, type StepCount } from './events.ts';
import type { Fault } from './fault.ts';
import { uniqueProject, type Place } from './place.ts';
import { assertSame, changeTable, definitionOf, makeTable, versions, type Mode } from './rows.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

/** A run in the course of which its worker is lost. */
export interface Trial {
  readonly mode: Mode;
  readonly point: Fault['point'];
  /** `wake`: stopped, and continued as soon as another worker has taken over; `stop`: continued after the run has ended. */
  readonly how: 'kill' | 'stop' | 'wake' | 'hold';
  readonly arrival?: number;
  /** The fault befalls the first load of the stream; else the second, which finds rows, cursor and books. */
  readonly first?: boolean;
  /** Rows pass a transform. */
  readonly transforms?: boolean;
  readonly heartbeatTimeout?: number;
  readonly partitionBytes?: number;
  /** Between the fault and the arrival of the healthy worker; for `hold` the worker then goes on. */
  readonly meanwhile?: (place: Place, subject: Subject) => Promise<void>;
}

export interface Survival {
  readonly trial: Trial;
  readonly steps: Readonly<Record<string, StepCount>>;
}

export const nameOf = ({ mode, point, how, first = false, transforms = false }: Trial): string =>
  `${mode}_${point}_${how}${first ? '_first' : ''}${transforms ? '_transforms' : ''}`;

const needsTransform = (point: Fault['point']): boolean => point === 'transform' || point === 'transformed';

/** A step that DuckDB has to do. */
const transform: StreamDefinition['transform'] = [{ expect: { id: { not_null: true, min: 1 } } }];

/** What one trial works with. */
export interface Subject {
  readonly definition: PipelineDefinition;
  readonly table: string;
  readonly marker: string;
  readonly staging: string;
  start(): Promise<StartedRun>;
  ended(run: StartedRun): Promise<RunOutcome>;
}

export function subjectOf(place: Place, trial: Trial): Subject {
  const project = uniqueProject();
  const table = `${nameOf(trial)}_${project.slice(-6)}`;
  const definition = pipelineOf(project, 'trial', {
    from: place.source,
    to: place.warehouse,
    streams: [{ stream: table, ...definitionOf(trial.mode), ...(trial.transforms || needsTransform(trial.point) ? { transform } : {}) }],
    more: { partitionBytes: trial.partitionBytes ?? 120_000, heartbeatTimeout: trial.heartbeatTimeout ?? 2500 },
  });
  const runnable: Runnable = { kind: 'pipeline', definition };
  return {
    definition,
    table,
    marker: join(place.folder, `${table}.met`),
    staging: join(place.folder, project),
    start: () => startRun(place.client, runnable, { fullRefresh: false }, 'test'),
    ended: (run) => runOutcome(place.client, runnable, run),
  };
}

/** Has a worker process work for a trial's project. */
export const open = (place: Place, { definition, staging }: Subject, worker: WorkerProcess): Promise<void> =>
  worker.ask({ open: definition.project, staging, temporal: place.temporal, bundle: place.bundle });

function assertOk(outcome: RunOutcome): void {
  assert.ok(outcome.ok, JSON.stringify(outcome));
}

/** The id of the workflow that loads a trial's table. */
export const streamId = ({ definition, table }: Subject): string => `${definition.project}/${definition.name}/${table}`;

/** Until a step is at its second attempt, which a stopped worker may delay by tasks that it still takes; with the healthy worker where `by` says so, or the stream's workflow has ended. */
export async function takenOver(place: Place, subject: Subject, by: 'healthy' | 'any'): Promise<void> {
  const worker = by === 'any' ? '' : `:${place.healthy().child.pid}:`;
  await until(
    async () => {
      const { raw, status } = await place.client.workflow.getHandle(streamId(subject)).describe();
      const again = (raw.pendingActivities ?? []).filter(({ attempt }) => (attempt ?? 1) > 1);
      return status.name !== 'RUNNING' || again.some(({ lastWorkerIdentity }) => (lastWorkerIdentity ?? '').includes(worker));
    },
    'second attempt',
    120,
  );
}

/** Gets a run under way and its worker lost. */
export async function lose(place: Place, subject: Subject, trial: Trial, worker: WorkerProcess): Promise<StartedRun> {
  const { table, marker } = subject;
  await makeTable(place.source, table);
  await open(place, subject, worker);
  if (trial.first !== true) {
    assertOk(await subject.ended(await subject.start()));
    await changeTable(place.source, table, trial.mode);
  }
  const how = trial.how === 'wake' ? 'stop' : trial.how;
  await worker.ask({ arm: { point: trial.point, how, marker, arrival: trial.arrival ?? 1 } });
  const run = await subject.start();
  await until(() => existsSync(marker), `fault ${nameOf(trial)}`);
  if (how === 'kill') await until(worker.gone, 'end of the worker');
  return run;
}

/** Lets the run go on: with another worker, or with the held one; a stopped one comes back in time for mischief. */
async function goOn(place: Place, subject: Subject, trial: Trial, worker: WorkerProcess): Promise<void> {
  if (trial.how === 'hold') writeFileSync(`${subject.marker}.go`, '');
  else await open(place, subject, place.healthy());
  if (trial.how !== 'wake') return;
  await takenOver(place, subject, 'healthy');
  worker.child.kill('SIGCONT');
}

/** Loses the worker of a run and asserts that the run succeeds by itself, and that nothing is lost or doubled. */
export async function survive(place: Place, trial: Trial): Promise<Survival> {
  const subject = subjectOf(place, trial);
  const { table } = subject;
  await using worker = startWorkerProcess();
  const run = await lose(place, subject, trial, worker);
  await trial.meanwhile?.(place, subject);
  await goOn(place, subject, trial, worker);
  assertOk(await subject.ended(run));
  if (trial.how === 'stop') worker.child.kill('SIGCONT');
  if (trial.how !== 'kill') await worker.ask({ close: true });
  await assertSame(place.source, place.warehouse, table, trial.mode);
  if (trial.mode === 'history') assert.equal(await versions(place.warehouse, table), trial.first === true ? 4000 : 7370, 'versions');
  const steps = stepsOf(await eventsOf(place.client, streamId(subject)));
  return { trial, steps };
}

/** Asserts that a load was planned once, and that at most the partition at hand was read again. A stopped worker still takes tasks, so attempts say nothing there. */
export function assertRedoneOnce({ trial, steps }: Survival): void {
  const of = (name: string): StepCount => steps[name] ?? { asked: 0, again: 0 };
  const seen = `${nameOf(trial)}: ${JSON.stringify(steps)}`;
  assert.deepEqual([of('plan').asked, of('commit').asked], [1, 1], seen);
  assert.equal(of('load').asked, of('extract').asked, seen);
  assert.ok(of('extract').asked > 1, `more than one partition: ${seen}`);
  if (trial.how === 'kill') assert.ok(of('extract').again <= 1, seen);
}

export interface TrialTests {
  readonly size: number;
  readonly title: (trial: Trial) => string;
  readonly check: (survival: Survival) => void;
}

/** Tests of trials, which go on at the same time as far as `size` allows, because most of each is waiting for time-outs. */
export function describeTrials(place: () => Place, trials: readonly Trial[], { size, title, check }: TrialTests): void {
  const inTurn = limit(size);
  const going = new Map<Trial, Promise<Survival>>();
  before(() => {
    for (const trial of trials) {
      const survival = inTurn(() => survive(place(), trial));
      survival.catch(() => undefined);
      going.set(trial, survival);
    }
  });
  for (const trial of trials) {
    it(title(trial), async () => {
      const survival = await going.get(trial);
      assert.ok(survival !== undefined);
      check(survival);
      await assertBooksBalance(place().warehouse);
    });
  }
}
