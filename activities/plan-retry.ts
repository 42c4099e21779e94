import type { SourcePlan } from '../connectors/connector.ts';
import type { StagedFormat } from '../schema/load.ts';
import type { Partition } from '../schema/stream.ts';
import { openRejections } from './open-rejections.ts';
import { deliveredKey, keyOf } from './plan-rules.ts';
import { columnsAfter, loadOf, maxPartitions, type Planned, type Planning } from './planning.ts';
import { partitionFormats, renamedBy, retriedOf, stepsAgain, type PresentShape, type RetryRange } from './retried-row.ts';

/** More are left to the next retry. */
const mostRows = 100_000;

/** Rejections that are taken up, by the file that they are lines of ('' for rows that were read), and how many aren't, by the reason. */
interface TakenUp {
  readonly ids: ReadonlyMap<string, readonly string[]>;
  readonly left: ReadonlyMap<string, number>;
}

async function takeUp({ input, warehouse, attempt }: Planning, shape: PresentShape): Promise<TakenUp> {
  const { pipeline, part } = input.run;
  const ids = new Map<string, string[]>();
  const left = new Map<string, number>();
  const leave = (reason: string): void => void left.set(reason, (left.get(reason) ?? 0) + 1);
  let taken = 0;
  const name = { project: pipeline.project, pipeline: pipeline.name, stream: part.stream };
  for await (const rejection of openRejections(warehouse.books, name, attempt)) {
    const retried = retriedOf(rejection, shape);
    const file = 'line' in retried ? retried.file : '';
    if ('left' in retried) leave(retried.left);
    else if (taken === mostRows || (!ids.has(file) && ids.size === maxPartitions)) leave('wait for the next retry');
    else {
      const some = ids.get(file) ?? [];
      some.push(rejection.id);
      ids.set(file, some);
      taken += 1;
    }
  }
  return { ids, left };
}

function notesOf({ ids, left }: TakenUp): readonly string[] {
  const taken = [...ids.values()].reduce((sum, some) => sum + some.length, 0);
  if (taken === 0 && left.size === 0) return ['no open rejections'];
  return [`rejections taken up again: ${taken}`, ...[...left].map(([reason, count]) => `rejections left alone: ${count}, which ${reason}`)];
}

/** Rows keep the types that the source has proved; those of files are proved again, as on their first way. */
function formatOf(file: string, shape: PresentShape, source: SourcePlan): StagedFormat {
  const format = shape.files.get(file);
  if (format?.kind === 'foreign' && format.dialect.type === 'csv') {
    return { kind: 'foreign', dialect: { ...format.dialect, header: false, encoding: 'utf-8', newline: '\n' } };
  }
  return source.format === 'foreign' ? { kind: 'foreign', dialect: { type: 'ndjson', columns: source.columns } } : { kind: 'csv' };
}

/** Plans a load of the stream's open rejections, as they were read, through the present definition. */
export async function planRetry(planning: Planning): Promise<Planned> {
  const { input, stream, attempt } = planning;
  const { pipeline, part } = input.run;
  const { cursor: _, ...read } = part.definition;
  const present = await planning.source.plan(
    {
      definition: read,
      stream,
      cursor: undefined,
      window: undefined,
      steps: read.transform,
      formats: ['csv', 'foreign'],
      partitionBytes: pipeline.partitionBytes,
      maxPartitions,
    },
    attempt,
  );
  const columns = await columnsAfter(planning, present, read.transform.slice(present.stepsTaken));
  const key = deliveredKey(input.run, keyOf(input.run, stream), columns);
  const raw = present.format === 'foreign' ? present.columns : stream.columns;
  const names = raw.map(({ name }) => name);
  const shape: PresentShape = {
    definition: part.definition,
    names: new Set(names),
    renamed: renamedBy(names, read.transform.slice(0, present.stepsTaken)),
    files: partitionFormats(present.partitions),
  };
  const taken = await takeUp(planning, shape);
  const files = [...taken.ids.keys()];
  const range: RetryRange = [...shape.renamed];
  const partitions = files.map((file, no): Partition => ({ no, label: file, range, format: formatOf(file, shape, present) }));
  const load = loadOf(planning, present.identity, {
    definition: { ...part.definition, key: [...key], maxRejected: { share: 1 } },
    columns,
    cursor: null,
    complete: false,
    retries: [...taken.ids.values()],
  });
  return {
    source: { ...present, partitions, columns: raw, stepsTaken: 0, nextCursor: null, complete: false },
    load,
    steps: stepsAgain(read.transform, present.stepsTaken),
    input: raw,
    transforms: true,
    notes: notesOf(taken),
    ...(files.length === 0 ? { idle: true } : {}),
  };
}
