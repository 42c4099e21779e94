import { MillraceError } from '../schema/errors.ts';
import { keySteps } from './key-steps.ts';
import { deliveredKey, keyOf, placeOf } from './plan-rules.ts';
import { columnsAfter, loadOf, maxPartitions, type Planned, type Planning } from './planning.ts';

/**
 * Plans a complete read of the stream's keys. Each partition sees a moment of its own, which is enough: no other load may write the target
 * meanwhile, so a key that is in the target was in the source before any of those moments, and is missing from its partition only if it is gone.
 */
export async function planKeys(planning: Planning): Promise<Planned> {
  const { input, warehouse, stream, attempt } = planning;
  const { pipeline, part } = input.run;
  const { cursor: _cursor, lookBack: _lookBack, ...rest } = part.definition;
  const key = keyOf(input.run, stream);
  const transform = [...keySteps(part.definition.transform, key, placeOf(input.run))];
  const definition = { ...rest, key: [...key], transform, onFailure: 'null' as const, maxRejected: { share: 1 } };
  const source = await planning.source.plan(
    {
      definition,
      stream,
      cursor: undefined,
      window: undefined,
      steps: transform,
      formats: ['csv', 'foreign', ...warehouse.formats],
      partitionBytes: pipeline.partitionBytes,
      maxPartitions,
    },
    attempt,
  );
  if (!source.complete) {
    throw new MillraceError(
      'config',
      `${placeOf(input.run)}: its source can't list all keys at once, so reconcile can't find what was deleted; take reconcile and deletes out`,
    );
  }
  const steps = transform.slice(source.stepsTaken);
  const columns = await columnsAfter(planning, source, steps);
  deliveredKey(input.run, key, columns);
  const load = loadOf(planning, source.identity, { definition, columns, cursor: null, complete: true, reconciles: true });
  const transforms = steps.length > 0 || source.format === 'foreign';
  return { source, load, steps, input: source.columns, transforms, notes: [] };
}
