import type { StreamRun } from '../schema/run.ts';
import { keySteps } from './key-steps.ts';
import { checkEvents, checkWindow, deliveredKey, keyOf, placeOf } from './plan-rules.ts';
import { columnsAfter, loadOf, maxPartitions, type Planned, type Planning } from './planning.ts';

/** A window of an append drops the rows that are there, as a look-back does; so do events. */
function readBack({ options, part }: StreamRun, repeats: boolean): Pick<StreamRun['part']['definition'], 'lookBack'> {
  const lookBack = part.definition.lookBack ?? (options.window === undefined && !repeats ? undefined : '0');
  return lookBack === undefined ? {} : { lookBack };
}

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
  const repeats = source.events === true;
  if (repeats) checkEvents(input.run, delivered);
  const load = loadOf(planning, source.identity, {
    definition: { ...definition, key: [...delivered], ...readBack(input.run, repeats) },
    columns,
    cursor: options.window === undefined ? source.nextCursor : null,
    complete: source.complete && options.window === undefined,
    ...(repeats ? { repeats } : {}),
  });
  const transforms = steps.length > 0 || source.format === 'foreign';
  const planned = { source, load, steps, input: source.columns, transforms, notes: [...stream.notes, ...source.notes] };
  return repeats && source.partitions.length === 0 ? { ...planned, idle: true } : planned;
}
