import { hostname } from 'node:os';
import type { Source } from '../connectors/connector.ts';
import type { Checked } from '../schema/check.ts';
import type { PipelineDefinition } from '../schema/definition.ts';
import { MillraceError } from '../schema/errors.ts';
import type { StreamPart } from '../schema/run.ts';
import { looseAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { expandPipeline } from './expand.ts';
import { shapeOf, type Shape } from './shape.ts';

/** A merge or history without a key, and a key that the transform takes away. */
function keyProblems({ definition, stream }: StreamPart, { stream: found, columns }: Shape): readonly string[] {
  const key = definition.key.length > 0 ? definition.key : found.key;
  const needsKey = definition.mode === 'merge' || definition.mode === 'history';
  if (!needsKey) return [];
  if (key.length === 0)
    return [`stream ${stream}: mode ${definition.mode} needs a key, and ${found.name} has no primary key: name its columns with key`];
  const missing = key.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length === 0) return [];
  return [
    `stream ${stream}: the key column ${missing.join(', ')} is not among the columns delivered (${columns.map(({ name }) => name).join(', ')})`,
  ];
}

interface PartCheck {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

async function checkPart(
  source: Source,
  pipeline: PipelineDefinition,
  part: StreamPart,
  scrub: (text: string) => string,
): Promise<PartCheck> {
  try {
    const shape = await shapeOf(source, { pipeline, part, formats: ['csv', 'foreign', 'pgcopy'] }, looseAttempt('check'));
    return { problems: keyProblems(part, shape), warnings: shape.source.notes.map((note) => `stream ${part.stream}: ${note}`) };
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return { problems: [scrub(error.message)], warnings: [] };
  }
}

/** Finds a pipeline's streams and goes through their steps without rows: names, types, keys and cursors; what is wrong comes back as sentences. */
export const createCheckPipeline = (deps: Dependencies) =>
  async function checkPipeline(pipeline: PipelineDefinition): Promise<Checked> {
    const about = { kind: 'pipeline', name: pipeline.name, role: '', host: hostname() } as const;
    try {
      const parts = await expandPipeline(deps, pipeline, looseAttempt('check'));
      await using source = await deps.openSource(pipeline.from);
      const checks: PartCheck[] = [];
      for (const part of parts) checks.push(await checkPart(source, pipeline, part, (text) => deps.scrub(text)));
      return {
        ...about,
        system: `${parts.length} ${parts.length === 1 ? 'stream' : 'streams'}`,
        problems: checks.flatMap(({ problems }) => problems),
        warnings: checks.flatMap(({ warnings }) => warnings),
      };
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      return { ...about, system: '', problems: [deps.scrub(error.message)], warnings: [] };
    }
  };
