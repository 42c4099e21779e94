import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runOutcome, startRun, type Runnable, type RunOutcome } from '../../client/runs.ts';
import { modes } from '../../schema/definition.ts';
import { assertBooksBalance } from '../kits/books.ts';
import { pipelineOf, sql } from '../pipeline-kit.ts';
import { stopTestServers } from '../servers.ts';
import { join } from 'node:path';
import { openPlace, uniqueProject, type Place } from './place.ts';
import { assertSame, definitionOf, makeTable } from './rows.ts';
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts';

/** Numbers from 0 to 1 that a seed determines (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Soak {
  readonly place: Place;
  readonly project: string;
  readonly end: number;
  readonly say: (what: string) => void;
}

const workers = 2;

/** Workers, of which one after the other is killed or stopped; a killed one is replaced, a stopped one comes back. */
async function disturb({ place, project, end, say }: Soak, random: () => number): Promise<WorkerProcess[]> {
  const start = async (): Promise<WorkerProcess> => {
    const worker = startWorkerProcess();
    await worker.ask({ open: project, staging: join(place.folder, project), temporal: place.temporal, bundle: place.bundle });
    return worker;
  };
  const all = await Promise.all(Array.from({ length: workers }, start));
  while (Date.now() < end) {
    await sleep(1000 + random() * 9000);
    const which = Math.floor(random() * workers);
    const victim = all[which];
    if (victim === undefined) continue;
    if (random() < 0.6) {
      say(`kill -9 of worker ${which}`);
      victim.child.kill('SIGKILL');
      all[which] = await start();
      continue;
    }
    const seconds = 1 + random() * 8;
    say(`worker ${which} stopped for ${seconds.toFixed(1)} s`);
    victim.child.kill('SIGSTOP');
    await sleep(seconds * 1000);
    victim.child.kill('SIGCONT');
  }
  return all;
}

/** Changes the tables all the time; each as its mode can follow. */
async function change({ place, end }: Soak, random: () => number): Promise<number> {
  let next = 100_000;
  while (Date.now() < end) {
    await sleep(100 + random() * 900);
    const rows = 1 + Math.floor(random() * 400);
    const remainder = Math.floor(random() * 50);
    for (const mode of modes) {
      await sql(
        place.source,
        `INSERT INTO soak_${mode} SELECT i, 'n' || i, i / 3.0, repeat('x', i % 50), clock_timestamp() FROM generate_series(${next}, ${next + rows - 1}) i`,
      );
      if (mode === 'append') continue;
      await sql(place.source, `UPDATE soak_${mode} SET note = 'u${next}', at = clock_timestamp() WHERE id % 50 = ${remainder}`);
      if (mode !== 'merge') await sql(place.source, `DELETE FROM soak_${mode} WHERE id % 199 = ${remainder}`);
    }
    next += rows;
  }
  return next - 100_000;
}

/** Runs the pipeline again and again. */
async function runAll({ end, say }: Soak, run: () => Promise<RunOutcome>): Promise<number> {
  let runs = 0;
  while (Date.now() < end) {
    const outcome = await run();
    runs += 1;
    say(`run ${runs}: ${outcome.ok ? outcome.report?.streams.map(({ stream, loaded }) => `${stream} ${loaded}`).join(', ') : ''}`);
    if (!outcome.ok) throw new Error(JSON.stringify(outcome));
  }
  return runs;
}

async function soak(seed: number, minutes: number): Promise<void> {
  const startedAt = Date.now();
  const say = (what: string): void => console.log(`${((Date.now() - startedAt) / 1000).toFixed(1).padStart(7)} ${what}`);
  say(`seed ${seed}, ${minutes} minutes; again with: npm run soak -- --seed ${seed} --minutes ${minutes}`);
  await using place = await openPlace();
  const project = uniqueProject();
  for (const mode of modes) await makeTable(place.source, `soak_${mode}`);
  const definition = pipelineOf(project, 'soak', {
    from: place.source,
    to: place.warehouse,
    streams: modes.map((mode) => ({ stream: `soak_${mode}`, ...definitionOf(mode) })),
    more: { partitionBytes: 200_000, heartbeatTimeout: 4000, parallelStreams: 2 },
  });
  const runnable: Runnable = { kind: 'pipeline', definition };
  const run = async (): Promise<RunOutcome> =>
    await runOutcome(place.client, runnable, await startRun(place.client, runnable, { fullRefresh: false }, 'soak'));
  const going: Soak = { place, project, end: Date.now() + minutes * 60_000, say };
  const [survivors, changed, runs] = await Promise.all([
    disturb(going, randomOf(seed)),
    change(going, randomOf(seed + 1)),
    runAll(going, run),
  ]);
  try {
    await sleep(2500);
    const last = await run();
    if (!last.ok) throw new Error(JSON.stringify(last));
    for (const mode of modes) await assertSame(place.source, place.warehouse, `soak_${mode}`, mode);
    const loads = await assertBooksBalance(place.warehouse);
    say(`${runs + 1} runs, ${loads} loads, ${changed} rows added to each table; targets equal their sources, books balance`);
  } finally {
    await Promise.all(survivors.map((worker) => worker[Symbol.asyncDispose]()));
  }
}

const { values } = parseArgs({
  options: { seed: { type: 'string', default: String(Date.now() % 1_000_000) }, minutes: { type: 'string', default: '5' } },
});
try {
  await soak(Number(values.seed), Number(values.minutes));
} finally {
  await stopTestServers();
}
