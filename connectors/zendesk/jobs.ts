import { z } from 'zod';
import type { Batch, Outcome, Polled, StartedJob } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { type Account, ask } from './account.ts';
import type { BatchPlan, Left, Writing } from './plan.ts';
import { jobResult, outcomeOf } from './result.ts';

/** https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/ */
const jobStatus = z.looseObject({
  id: z.string(),
  status: z.string(),
  message: z.string().nullish().catch(undefined),
  results: z.array(jobResult).nullish().catch(undefined),
});
type JobStatus = z.infer<typeof jobStatus>;
const started = z.looseObject({ job_status: z.looseObject({ id: z.string() }) });
const shown = z.looseObject({ job_statuses: z.array(jobStatus) });

/**
 * Jobs of a batch with the numbers of their rows in the order of the request, as runs (first, how many), and the numbers of rows that belong
 * to none. Numbers, for a batch may be in another order when it is polled.
 */
const handle = z.strictObject({
  jobs: z.array(z.strictObject({ id: z.string(), rows: z.array(z.tuple([z.int(), z.int()])) })),
  left: z.array(z.tuple([z.int(), z.enum(['missing', 'exists', 'gone', 'unnamed'])])),
});
type Handle = z.infer<typeof handle>;

function runsOf(nos: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const no of nos) {
    const last = runs.at(-1);
    if (last !== undefined && no === last[0] + last[1]) last[1] += 1;
    else runs.push([no, 1]);
  }
  return runs;
}

const numbersOf = (runs: readonly (readonly [number, number])[]): readonly number[] =>
  runs.flatMap(([first, count]) => Array.from({ length: count }, (_, more) => first + more));

/** Milliseconds until it is worth asking. */
const pause = 1_000;

const ended = new Set(['completed', 'failed', 'killed']);

function leftOutcome(left: Left, { kind, match }: Writing): Outcome {
  if (left === 'gone') return { status: 'acknowledged' };
  const reasons = {
    missing: `Zendesk has no ${kind.singular} with this ${match}: not found`,
    exists: `Zendesk has a ${kind.singular} with this ${match} already`,
    unnamed: `it names no ${kind.singular}`,
  };
  return { status: 'rejected', reason: reasons[left], code: left === 'exists' ? 'AlreadyExists' : 'RecordNotFound' };
}

/** Starts the jobs of a batch, all at the same time, so that none begins late. */
export async function startJobs(
  account: Account,
  plan: BatchPlan,
  { rows }: Batch,
  writing: Writing,
  attempt: Attempt,
): Promise<readonly Outcome[] | StartedJob> {
  const numberAt = (index: number): number => rows[index]?.no ?? -1;
  const left: Handle['left'] = plan.left.map(([index, reason]) => [numberAt(index), reason]);
  if (plan.parts.length === 0) return arrange(rows, new Map(left.map(([no, reason]) => [no, leftOutcome(reason, writing)])));
  const settled = await Promise.allSettled(plan.parts.map(async ({ request }) => await ask(account, request, started, attempt)));
  const jobs = settled.map((part, at) => {
    if (part.status === 'rejected') throw part.reason;
    return { id: part.value.job_status.id, rows: runsOf((plan.parts[at]?.rows ?? []).map(numberAt)) };
  });
  const written: Handle = { jobs, left };
  return { handle: JSON.stringify(written), after: pause };
}

const arrange = (rows: Batch['rows'], outcomes: ReadonlyMap<number, Outcome>): readonly Outcome[] =>
  rows.map(({ no }) => outcomes.get(no) ?? { status: 'unknown', reason: 'Zendesk told nothing of it' });

/** Asks about jobs: 100 a request. Zendesk forgets a job after an hour, or when 100 younger ones are there. */
export async function pollJobs(
  account: Account,
  jobs: readonly { readonly handle: string; readonly batch: Batch }[],
  writing: Writing,
  attempt: Attempt,
): Promise<readonly Polled[]> {
  const handles = jobs.map((job) => handle.parse(JSON.parse(job.handle)));
  const ids = [...new Set(handles.flatMap((one) => one.jobs.map(({ id }) => id)))];
  const statuses = new Map<string, JobStatus>();
  for (let from = 0; from < ids.length; from += 100) {
    const query = { ids: ids.slice(from, from + 100).join(',') };
    const request = { method: 'GET', path: 'api/v2/job_statuses/show_many.json', query, repeatable: true } as const;
    for (const status of (await ask(account, request, shown, attempt)).job_statuses) statuses.set(status.id, status);
  }
  return jobs.map(({ batch }, no) => polledOf(handles[no] ?? { jobs: [], left: [] }, batch, statuses, writing));
}

function polledOf({ jobs, left }: Handle, batch: Batch, statuses: ReadonlyMap<string, JobStatus>, writing: Writing): Polled {
  const lost = jobs.find(({ id }) => !statuses.has(id));
  if (lost !== undefined) return { lost: `Zendesk does not know the job ${lost.id} any more: it keeps 100, for an hour` };
  const known = jobs.flatMap(({ id, rows }) => {
    const status = statuses.get(id);
    return status === undefined ? [] : [{ status, nos: numbersOf(rows) }];
  });
  if (known.some(({ status }) => !ended.has(status.status))) return { after: pause };
  const outcomes = new Map<number, Outcome>(left.map(([no, reason]) => [no, leftOutcome(reason, writing)]));
  for (const { status, nos } of known) {
    const results = status.results ?? [];
    const silent = status.message ?? 'without a result for it';
    for (const no of nos) outcomes.set(no, { status: 'unknown', reason: `the job ${status.status}: ${silent}` });
    results.forEach((one, position) => {
      const no = nos[one.index ?? (results.length === nos.length ? position : -1)];
      if (no !== undefined) outcomes.set(no, outcomeOf(one, batch.operation, writing));
    });
  }
  return { outcomes: arrange(batch.rows, outcomes) };
}
