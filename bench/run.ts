// npm run bench -- [--only NAME] [--rows N] [--rounds N] [--json FILE]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Case } from './case.ts';
import { casesOf } from './cases.ts';
import { fillOrders } from './data.ts';
import { openBench, type Bench } from './servers.ts';

interface Result {
  readonly name: string;
  readonly rows: number;
  readonly seconds: number;
  readonly reference_seconds: number;
  readonly ratio: number;
  readonly peak_rss_mb: number;
}

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true }, rows: { type: 'string' }, rounds: { type: 'string' }, json: { type: 'string' } },
});
const rows = Number(values.rows ?? 1_000_000);
const rounds = Number(values.rounds ?? 5);

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;

async function measure(bench: Bench, one: Case, idle: number): Promise<Result> {
  await one.setUp?.();
  const pairs: { reference: number; millrace: number }[] = [];
  let peak = 0;
  // The first round warms both up and isn't counted.
  for (let round = 0; round <= rounds; round += 1) {
    await one.before?.(round);
    const reference = one.theory ?? (await seconds(() => one.reference()));
    await one.between?.();
    await bench.worker.resetPeak();
    const millrace = await seconds(() => one.millrace());
    await one.compare?.();
    if (round === 0) continue;
    peak = Math.max(peak, await bench.worker.peak());
    pairs.push({ reference, millrace });
    console.error(
      `${one.name} ${round}/${rounds}: ${millrace.toFixed(2)} s, reference ${reference.toFixed(2)} s, ratio ${(millrace / reference).toFixed(2)}`,
    );
  }
  return {
    name: one.name,
    rows: one.rows,
    seconds: median(pairs.map((pair) => pair.millrace)),
    reference_seconds: median(pairs.map((pair) => pair.reference)),
    ratio: median(pairs.map((pair) => pair.millrace / pair.reference)),
    peak_rss_mb: Math.round(peak - idle),
  };
}

function print(results: readonly Result[], goals: ReadonlyMap<string, number>): void {
  console.log('| name | rows | seconds | reference | ratio | to reach | MB above idle |');
  console.log('|---|---:|---:|---:|---:|---:|---:|');
  for (const result of results) {
    const cells = [
      result.name,
      result.rows,
      result.seconds.toFixed(2),
      result.reference_seconds.toFixed(2),
      result.ratio.toFixed(2),
      goals.get(result.name),
    ];
    console.log(`| ${[...cells, result.peak_rss_mb].join(' | ')} |`);
  }
}

/** Benchmarks that bring their own servers and processes: the gateway against a bare handler, events on their way to a table. */
const apart = [
  { names: ['rest-list', 'rest-get', 'rest-list-cached', 'graphql-tree'], program: 'gateway/run.ts', takes: ['only', 'rounds'] },
  { names: ['ingest'], program: 'ingest/run.ts', takes: [] },
] as const;

async function runApart(program: string, given: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL(program, import.meta.url)), ...given], {
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${program} failed`);
}

/** Pipelines and syncs; `only` are names among them, or everything. */
async function runPipelines(only: readonly string[] | undefined): Promise<void> {
  await using bench = await openBench();
  const all = casesOf(bench, rows);
  const names = [...all.map((one) => one.name), ...apart.flatMap((one) => one.names)];
  const unknown = only?.filter((name) => !all.some((one) => one.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(', ')}; there are ${names.join(', ')}`);
  const chosen = all.filter((one) => only === undefined || only.includes(one.name));
  if (chosen.some((one) => !one.name.startsWith('reverse-'))) await fillOrders(bench.source, rows);
  await bench.worker.resetPeak();
  const idle = await bench.worker.peak();
  const results: Result[] = [];
  for (const one of chosen) results.push(await measure(bench, one, idle));
  print(results, new Map(all.map((one) => [one.name, one.goal])));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
}

const { only } = values;
const ofPipelines = only?.filter((name) => !apart.some(({ names }) => names.some((known) => known === name)));
if (ofPipelines === undefined || ofPipelines.length > 0) await runPipelines(ofPipelines);
for (const { names, program, takes } of apart) {
  const chosen = names.filter((name) => only === undefined || only.includes(name));
  if (chosen.length === 0) continue;
  const given = { only: chosen, rounds: values.rounds === undefined ? [] : [values.rounds] };
  await runApart(
    program,
    takes.flatMap((name) => given[name].flatMap((value) => [`--${name}`, value])),
  );
}
