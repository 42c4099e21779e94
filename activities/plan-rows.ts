import type { SourcePlan } from '../connectors/connector.ts';
import type { Load } from '../schema/load.ts';
import type { StreamRun } from '../schema/run.ts';
import { keySteps } from './key-steps.ts';
import { checkEvents, checkWindow, deliveredKey, keyOf, placeOf } from './plan-rules.ts';
import { columnsAfter, loadOf, maxPartitions, type Planned, type Planning } from './planning.ts';

/** A window of an append drops the rows that are there, as a look-back does; so do events. */
function readBack({ options, part }: StreamRun, repeats: boolean): Pick<StreamRun['part']['definition'], 'lookBack'> {
  const lookBack = part.definition.lookBack ?? (options.window === undefined && !repeats ? undefined : '0');
  return lookBack === undefined ? {} : { lookBack };
}

/** Events may come again, and are read once; what would lose or double them is refused. */
function eventsOf(run: StreamRun, { events }: SourcePlan, key: readonly string[]): Pick<Load, 'repeats'> {
  if (events !== true) return {};
  checkEvents(run, key);
  return { repeats: true };
}

/** Without new events there is nothing to load. */
const idleOf = ({ events, partitions }: SourcePlan): Pick<Planned, 'idle'> =>
  events === true && partitions.length === 0 ? { idle: true } : {};

/** Plans a read of the stream: everything, what came since the cursor, or a window. */
export async function planRows(planning: Planning): Promise<Planned> {
  const { input, warehouse, stream, state, attempt } = planning;
  const { pipeline, part, options } = input.run;
  const { definition } = part;
  const key = keyOf(input.run, stream);
  // Said before the rows are loaded, and not only when their keys are read.
  if (definition.reconcileEvery !== undefined) keySteps(definition.transform, key, placeOf(input.run));
  const fresh = options.fullRefresh || definition.mode === 'replace';
  const source = await planning.source.plan(
    {
      definition,
      stream,
      cursor: fresh ? undefined : (state.cursor ?? undefined),
      window: options.window,
      steps: definition.transform,
      formats: definition.transform.length === 0 ? warehouse.formats : ['csv', 'foreign', ...warehouse.formats],
      partitionBytes: pipeline.partitionBytes,
      maxPartitions,
    },
    attempt,
  );
  const steps = definition.transform.slice(source.stepsTaken);
  const columns = await columnsAfter(planning, source, steps);
  const delivered = deliveredKey(input.run, key, columns);
  checkWindow(input.run, key);
  const events = eventsOf(input.run, source, delivered);
  const load = loadOf(planning, source.identity, {
    definition: { ...definition, key: [...delivered], ...readBack(input.run, events.repeats === true) },
    columns,
    cursor: options.window === undefined ? source.nextCursor : null,
    complete: source.complete && options.window === undefined,
    ...events,
  });
  const transforms = steps.length > 0 || source.format === 'foreign';
  const notes = [...stream.notes, ...source.notes];
  return { source, load, steps, input: source.columns, transforms, notes, ...idleOf(source) };
}
