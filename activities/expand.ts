import type { Attempt } from '../connectors/connector.ts';
import type { PipelineDefinition, StreamDefinition } from '../schema/definition.ts';
import type { StreamPart } from '../schema/run.ts';
import type { Stream } from '../schema/stream.ts';
import { MillraceError } from '../schema/errors.ts';
import { targetTable } from '../schema/target.ts';
import { looseAttempt } from './attempt.ts';
import { checkPipelineDefinition } from './check-definition.ts';
import type { Dependencies } from './dependencies.ts';

const hasWildcard = (pattern: string): boolean => pattern.includes('*');

/** Does a name match a pattern with `*`? A bare table name means the schema `public`. */
function matches(pattern: string, name: string): boolean {
  const expression = new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  );
  return expression.test(name) || expression.test(name.replace(/^public\./, ''));
}

function targetOf(pipeline: PipelineDefinition, definition: StreamDefinition, stream: string): StreamPart['target'] {
  return { schema: pipeline.schema, table: definition.into ?? targetTable(stream) };
}

/** One part for a definition of tables per matching table; a glob of files is one stream. */
function partsOf(pipeline: PipelineDefinition, definition: StreamDefinition, found: readonly Stream[]): StreamPart[] {
  const names = pipeline.from.type === 'files' ? [definition.stream] : found.map((stream) => stream.name);
  return names
    .filter((name) => pipeline.from.type === 'files' || matches(definition.stream, name))
    .filter((name) => !definition.except.some((pattern) => matches(pattern, name)))
    .map((stream) => ({ stream, definition, target: targetOf(pipeline, definition, stream) }));
}

/** A table's name with its schema; a bare name is in `public`. */
const qualified = (name: string): string => (name.includes('.') ? name : `public.${name}`);

const asNamed = (definition: StreamDefinition): Stream => ({ name: definition.stream, columns: [], key: [], notes: [] });

/** The tables that the wildcards match and that no exact name takes. */
async function wildParts(
  deps: Dependencies,
  pipeline: PipelineDefinition,
  wild: readonly StreamDefinition[],
  exact: readonly StreamPart[],
  attempt: Attempt,
): Promise<readonly StreamPart[]> {
  const patterns = wild.map((definition) => definition.stream);
  await using source = await deps.openSource(pipeline.from);
  const found = await source.discover(patterns, attempt);
  const taken = new Set(exact.map((part) => qualified(part.stream)));
  const parts = wild.flatMap((definition) =>
    partsOf(pipeline, definition, found).filter((part) => !taken.has(qualified(part.stream)) && taken.add(qualified(part.stream))),
  );
  if (exact.length + parts.length > 0) return parts;
  throw new MillraceError('not-found', `pipeline ${pipeline.name}: no table of ${pipeline.from.name} matches ${patterns.join(', ')}`);
}

/**
 * Turns the patterns of a pipeline into its streams. A stream that an exact name gives isn't taken by a wildcard too, and keeps its name
 * as written; one that is missing fails by itself.
 */
export async function expandPipeline(deps: Dependencies, pipeline: PipelineDefinition, attempt: Attempt): Promise<readonly StreamPart[]> {
  const isWild = (definition: StreamDefinition): boolean => pipeline.from.type !== 'files' && hasWildcard(definition.stream);
  const exact = pipeline.streams
    .filter((definition) => !isWild(definition))
    .flatMap((definition) => partsOf(pipeline, definition, [asNamed(definition)]));
  const wild = pipeline.streams.filter(isWild);
  if (wild.length === 0) return unique(pipeline, exact);
  return unique(pipeline, [...exact, ...(await wildParts(deps, pipeline, wild, exact, attempt))]);
}

/** A stream of a run, short, because a wildcard may match thousands of tables. */
export interface FoundStream {
  readonly stream: string;
  /** Which of the pipeline's definitions is the stream's. */
  readonly definition: number;
  readonly table: string;
}

/** The streams of a pipeline, as a step. */
export const createExpand = (deps: Dependencies) =>
  async function expand(pipeline: PipelineDefinition): Promise<readonly FoundStream[]> {
    checkPipelineDefinition(pipeline);
    const parts = await expandPipeline(deps, pipeline, looseAttempt('expand'));
    return parts.map(({ stream, definition, target }) => ({
      stream,
      definition: pipeline.streams.indexOf(definition),
      table: target.table,
    }));
  };

/** Refuses two streams on one table. */
function unique(pipeline: PipelineDefinition, parts: readonly StreamPart[]): readonly StreamPart[] {
  const byTable = new Map<string, string>();
  for (const part of parts) {
    const other = byTable.get(part.target.table);
    if (other !== undefined && other !== part.stream) {
      throw new MillraceError(
        'config',
        `pipeline ${pipeline.name}: streams ${other} and ${part.stream} both go to ${part.target.schema}.${part.target.table}; give one of them another table with into`,
      );
    }
    byTable.set(part.target.table, part.stream);
  }
  return parts;
}
