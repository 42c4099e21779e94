import type { Built } from '../connectors/connector.ts';
import type { ModelDefinition } from '../schema/definition.ts';
import { looseAttempt } from './attempt.ts';
import { checkModelDefinition } from './check-definition.ts';
import type { Dependencies } from './dependencies.ts';

/** Builds a model in the warehouse; skipped when a pipeline that it follows has never committed. */
export const createBuild = (deps: Dependencies) =>
  async function build(model: ModelDefinition): Promise<Built> {
    checkModelDefinition(model);
    await using warehouse = await deps.openWarehouse(model.warehouse);
    return await warehouse.build(model, looseAttempt('build'));
  };
