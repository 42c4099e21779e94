import type { z } from 'zod';
import {
  definitionFormat,
  modelDefinition,
  type ModelDefinition,
  pipelineDefinition,
  type PipelineDefinition,
} from '../schema/definition.ts';
import { MillraceError } from '../schema/errors.ts';
import { syncDefinition, type SyncDefinition } from '../schema/sync-definition.ts';

/** Refuses a definition of a newer format, before anything in it is believed, and one that isn't of its form. */
function check(what: string, definition: { readonly format: number }, form: z.ZodType): void {
  if (definition.format > definitionFormat) {
    throw new MillraceError(
      'config',
      `${what} was applied by a newer millrace (definition format ${definition.format}; this worker reads up to ${definitionFormat}): update the worker`,
    );
  }
  const parsed = form.safeParse(definition);
  if (!parsed.success)
    throw new MillraceError(
      'config',
      `${what}: the definition is damaged: ${parsed.error.issues[0]?.message ?? ''}; run millrace apply again`,
    );
}

/** Throws `config` when this worker can't read a pipeline's definition. */
export const checkPipelineDefinition = (definition: PipelineDefinition): void =>
  check(`pipeline ${definition.name}`, definition, pipelineDefinition);

/** Throws `config` when this worker can't read a model's definition. */
export const checkModelDefinition = (definition: ModelDefinition): void => check(`model ${definition.name}`, definition, modelDefinition);

/** Throws `config` when this worker can't read a sync's definition. */
export const checkSyncDefinition = (definition: SyncDefinition): void => check(`sync ${definition.name}`, definition, syncDefinition);
