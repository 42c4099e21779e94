import { defineStream } from './stream-definition.ts';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Attempt, PlanRequest, Source, SourcePlan } from '../../connectors/connector.ts';
import type { Column } from '../../schema/column.ts';
import type { StreamDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Partition, Stream } from '../../schema/stream.ts';

/** What a source under test is made of. */
export interface SourceCase extends AsyncDisposable {
  open(): Promise<Source>;
  /** The same system with settings that don't work; `secret` is in them. */
  openBroken(): Promise<Source>;
  readonly secret: string;
  /** An exact name, with what is to be found there. At least ten rows, and more than one partition at `partitionBytes`. */
  readonly stream: string;
  readonly columns: readonly Column[];
  readonly key: readonly string[];
  readonly rows: number;
  readonly partitionBytes: number;
  /** True where a stream can't be split: a file is read by one step. */
  readonly onePartition?: boolean;
  /** False where pages don't tell rows: files from outside, before they are parsed. */
  readonly countsRows: boolean;
  /** A wildcard that `stream` matches. */
  readonly wildcard: string;
  /** A misspelt name, and what the error names as the nearest. */
  readonly missing: { readonly name: string; readonly nearest: string };
  readonly definition: Partial<StreamDefinition>;
}

/** An attempt of a test; its beats are counted. */
export function testAttempt(signal: AbortSignal = new AbortController().signal): Attempt & { beats: number } {
  return {
    signal,
    name: 'millrace:test:extract:0',
    beats: 0,
    beat() {
      this.beats += 1;
    },
  };
}

/** A plan request with defaults, for tests. */
export function planRequest(stream: Stream, given: Partial<PlanRequest> = {}): PlanRequest {
  return {
    definition: defineStream({ stream: stream.name }),
    stream,
    cursor: undefined,
    window: undefined,
    steps: [],
    formats: ['csv', 'foreign', 'pgcopy'],
    partitionBytes: 64 * 1024 * 1024,
    maxPartitions: 64,
    ...given,
  };
}

/** Bytes and rows of one partition. */
export async function readPartition(
  source: Source,
  request: PlanRequest,
  plan: SourcePlan,
  partition: Partition,
  attempt: Attempt = testAttempt(),
): Promise<{ readonly bytes: Buffer; readonly rows: number }> {
  const { definition, stream, steps } = request;
  const { pages } = await source.read({ definition, stream, steps, plan, partition }, attempt);
  const chunks: Uint8Array[] = [];
  let rows = 0;
  for await (const page of pages) {
    chunks.push(Uint8Array.from(page.bytes));
    rows = page.rows;
  }
  return { bytes: Buffer.concat(chunks), rows };
}

/** The conformance kit of the role source: what the platform relies on, whatever the system. */
export function describeSource(name: string, make: () => Promise<SourceCase>): void {
  describe(`${name} as a source`, () => {
    let given: SourceCase;
    let source: Source;
    let stream: Stream;

    before(async () => {
      given = await make();
      source = await given.open();
      const [found] = await source.discover([given.stream], testAttempt());
      assert.ok(found !== undefined);
      stream = found;
    });

    after(async () => {
      await source[Symbol.asyncDispose]();
      await given[Symbol.asyncDispose]();
    });

    const request = (more: Partial<PlanRequest> = {}): PlanRequest =>
      planRequest(stream, {
        definition: defineStream({ stream: given.stream, ...given.definition }),
        partitionBytes: given.partitionBytes,
        ...more,
      });

    it('passes its check, and names the system', async () => {
      const report = await source.check(testAttempt());
      assert.deepEqual(report.problems, []);
      assert.notEqual(report.system, '');
    });

    it('says what is wrong with settings that do not work, without a secret', async () => {
      await using broken = await given.openBroken();
      const said = await broken.check(testAttempt()).then(
        ({ problems }) => problems.join('\n'),
        (error: unknown) => {
          assert.ok(error instanceof MillraceError, String(error));
          return `${error.message}\n${error.stack ?? ''}`;
        },
      );
      assert.notEqual(said, '');
      assert.ok(given.secret === '' || !said.includes(given.secret));
    });

    it('describes a stream with its columns and key', () => {
      assert.deepEqual({ columns: stream.columns, key: stream.key }, { columns: given.columns, key: given.key });
    });

    it('describes the same twice', async () => {
      assert.deepEqual(await source.discover([given.stream], testAttempt()), [stream]);
    });

    it('finds streams by wildcard, and all of them without a pattern', async () => {
      assert.ok((await source.discover([given.wildcard], testAttempt())).length > 0);
      assert.ok((await source.discover(undefined, testAttempt())).some((found) => found.name === stream.name));
    });

    it('names the nearest stream when one is missing', async () => {
      await assert.rejects(source.discover([given.missing.name], testAttempt()), (error) => {
        assert.ok(error instanceof MillraceError);
        assert.equal(error.code, 'not-found');
        assert.ok(error.message.includes(given.missing.nearest), error.message);
        return true;
      });
    });

    it('plans partitions as JSON, numbered from zero, no more than asked for', async () => {
      const plan = await source.plan(request(), testAttempt());
      assert.deepEqual(JSON.parse(JSON.stringify(plan.partitions)), plan.partitions);
      assert.deepEqual(
        plan.partitions.map(({ no }) => no),
        plan.partitions.map((_, index) => index),
      );
      assert.ok(plan.partitions.length > (given.onePartition === true ? 0 : 1));
      const few = await source.plan(request({ maxPartitions: 2 }), testAttempt());
      assert.ok(few.partitions.length <= 2);
    });

    it('keeps its identity, without a secret', async () => {
      const plans = [await source.plan(request(), testAttempt()), await source.plan(request(), testAttempt())];
      assert.equal(plans[0]?.identity, plans[1]?.identity);
      assert.ok(given.secret === '' || !JSON.stringify(plans).includes(given.secret));
    });

    it('says that a read of everything is complete, and that a window is not and leaves the cursor', async () => {
      assert.equal((await source.plan(request(), testAttempt())).complete, true);
      if (given.definition.cursor === undefined) return;
      const plan = await source.plan(request({ window: { from: '2000-01-01', to: '2000-01-02' } }), testAttempt());
      assert.deepEqual([plan.complete, plan.nextCursor], [false, null]);
    });

    it('reads partitions in any order, and the same again', async () => {
      const asked = request();
      const plan = await source.plan(asked, testAttempt());
      const digests = async (partitions: readonly Partition[]): Promise<readonly string[]> => {
        const found: string[] = [];
        for (const partition of partitions) {
          const { bytes } = await readPartition(source, asked, plan, partition);
          found.push(createHash('sha256').update(bytes).digest('hex'));
        }
        return found;
      };
      const once = await digests(plan.partitions);
      assert.deepEqual((await digests([...plan.partitions].reverse())).toReversed(), once);
    });

    it('counts the rows it read', async function () {
      if (!given.countsRows) this.skip();
      const asked = request();
      const plan = await source.plan(asked, testAttempt());
      let rows = 0;
      for (const partition of plan.partitions) rows += (await readPartition(source, asked, plan, partition)).rows;
      assert.equal(rows, given.rows);
    });

    it('takes leading steps only, and says which columns its pages hold', async () => {
      const [first, second] = given.columns;
      assert.ok(first !== undefined && second !== undefined);
      const steps = [{ select: [second.name, first.name] }, { dedupe: { key: [first.name], order: [first.name] } }, { drop: [first.name] }];
      const plan = await source.plan(request({ steps }), testAttempt());
      assert.ok(plan.stepsTaken <= 1);
      if (plan.stepsTaken === 1) assert.deepEqual(plan.columns, [second, first]);
    });

    it('stops when it is cancelled', async () => {
      const asked = request();
      const plan = await source.plan(asked, testAttempt());
      const [partition] = plan.partitions;
      assert.ok(partition !== undefined);
      const controller = new AbortController();
      controller.abort(new Error('cancelled by the test'));
      await assert.rejects(readPartition(source, asked, plan, partition, testAttempt(controller.signal)), /cancelled by the test|aborted/i);
    });
  });
}
