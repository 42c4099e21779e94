import { randomBytes } from 'node:crypto';

/** What became of one object of a job, in the job's own words. */
export type JobResult = Readonly<Record<string, unknown>>;

interface Job {
  readonly id: string;
  readonly type: string;
  readonly total: number;
  readonly at: number;
  readonly run: () => readonly JobResult[];
  results: readonly JobResult[] | undefined;
  polls: number;
}

/**
 * Zendesk's queue of jobs: 30 queued or running, the last 100 kept for an hour. A job does its work when it is submitted, or when `runAll` is
 * called while jobs are held; it is seen as completed after some polls or some time, whichever comes first.
 */
export class ZendeskJobs {
  /** Jobs wait for `runAll`. */
  held = false;
  /** Polls after which a job is seen as completed. */
  polls = 2;
  /** Milliseconds after which it is, though nobody asked. */
  time = 1000;
  /** Queued and running at most. */
  most = 30;
  /** The next jobs end as failed, with the results of this many objects. */
  failing: number[] = [];
  private readonly jobs = new Map<string, Job>();

  /** A job that was begun; undefined when there are too many. */
  submit(type: string, total: number, run: () => readonly JobResult[]): JobResult | undefined {
    const working = [...this.jobs.values()].filter((job) => !this.isDone(job));
    if (working.length >= this.most) return undefined;
    const job: Job = { id: randomBytes(16).toString('hex'), type, total, at: Date.now(), run, results: undefined, polls: 0 };
    this.jobs.set(job.id, job);
    if (!this.held) this.work(job);
    const [oldest] = this.jobs.keys();
    if (this.jobs.size > 100 && oldest !== undefined) this.jobs.delete(oldest);
    return { id: job.id, job_type: type, status: 'queued', total, progress: null, message: null, results: null };
  }

  /** The jobs of these ids that are still known. */
  show(ids: readonly string[]): readonly JobResult[] {
    return ids.flatMap((id) => {
      const job = this.jobs.get(id);
      if (job === undefined) return [];
      job.polls += 1;
      return [this.status(job)];
    });
  }

  /** Lets held jobs do their work, in the order of their submission. */
  runAll(): void {
    for (const job of this.jobs.values()) if (job.results === undefined) this.work(job);
  }

  /** Forgets jobs, as Zendesk does after an hour: those of the ids, or all. */
  expire(ids: readonly string[] = [...this.jobs.keys()]): void {
    for (const id of ids) this.jobs.delete(id);
  }

  private work(job: Job): void {
    const results = job.run();
    const failing = this.failing.shift();
    job.results = failing === undefined ? results : results.slice(0, failing);
  }

  private isDone(job: Job): boolean {
    return job.results !== undefined && (job.polls >= this.polls || Date.now() - job.at >= this.time);
  }

  private status(job: Job): JobResult {
    const { id, type, total, results } = job;
    if (!this.isDone(job) || results === undefined) {
      return { id, job_type: type, status: job.polls > 1 ? 'working' : 'queued', total, progress: 0, message: null, results: null };
    }
    if (results.length < total) {
      return { id, job_type: type, status: 'failed', total, progress: results.length, message: 'The job was stopped', results };
    }
    return {
      id,
      job_type: type,
      status: 'completed',
      total,
      progress: total,
      message: `Completed at ${new Date().toISOString()}`,
      results,
    };
  }
}
