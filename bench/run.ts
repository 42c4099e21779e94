// npm run bench -- [--only NAME] [--rows N] [--rounds N] [--json FILE]
import { writeFile } from 'node:fs/promises';
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

await using bench = await openBench();
const all = casesOf(bench, rows);
const unknown = values.only?.filter((name) => !all.some((one) => one.name === name)) ?? [];
if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(', ')}; there are ${all.map((one) => one.name).join(', ')}`);
const chosen = all.filter((one) => values.only === undefined || values.only.includes(one.name));
if (chosen.some((one) => !one.name.startsWith('reverse-'))) await fillOrders(bench.source, rows);
await bench.worker.resetPeak();
const idle = await bench.worker.peak();
const results: Result[] = [];
for (const one of chosen) results.push(await measure(bench, one, idle));
print(results, new Map(all.map((one) => [one.name, one.goal])));
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(results, undefined, 2)}\n`);
