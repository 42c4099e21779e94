import type { Attempt } from '../connectors/connector.ts';
import type { PipelineDefinition, StreamDefinition } from '../schema/definition.ts';
import type { StreamPart } from '../schema/run.ts';
import type { Stream } from '../schema/stream.ts';
import { MillraceError } from '../schema/errors.ts';
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

/** The table that a stream without `into` is delivered to: the last part of its name, without a file's extension. */
function tableOf(stream: string): string {
  const base = stream.split('/').at(-1) ?? stream;
  const name = /\.(csv|tsv|txt|json|jsonl|ndjson|parquet)(\.gz)?$/i.test(base)
    ? base.replace(/\.\w+(\.gz)?$/, '')
    : (base.split('.').at(-1) ?? base);
  return name
    .replaceAll('*', '')
    .replace(/[-_. ]+$/, '')
    .replaceAll(/[-. ]+/g, '_')
    .toLowerCase();
}

function targetOf(pipeline: PipelineDefinition, definition: StreamDefinition, stream: string): StreamPart['target'] {
  return { schema: pipeline.schema, table: definition.into ?? tableOf(stream) };
}

/** One part for a definition of tables per matching table; a glob of files is one stream. */
function partsOf(pipeline: PipelineDefinition, definition: StreamDefinition, found: readonly Stream[]): StreamPart[] {
  const names = pipeline.from.type === 'files' ? [definition.stream] : found.map((stream) => stream.name);
  return names
    .filter((name) => pipeline.from.type === 'files' || matches(definition.stream, name))
    .filter((name) => !definition.except.some((pattern) => matches(pattern, name)))
    .map((stream) => ({ stream, definition, target: targetOf(pipeline, definition, stream) }));
}

/** Turns the patterns of a pipeline into its streams. A stream that an exact name gives isn't taken by a wildcard too. */
export async function expandPipeline(deps: Dependencies, pipeline: PipelineDefinition, attempt: Attempt): Promise<readonly StreamPart[]> {
  if (!pipeline.streams.some((stream) => hasWildcard(stream.stream)) || pipeline.from.type === 'files') {
    return unique(
      pipeline,
      pipeline.streams.flatMap((definition) =>
        partsOf(pipeline, definition, [{ name: definition.stream, columns: [], key: [], notes: [] }]),
      ),
    );
  }
  await using source = await deps.openSource(pipeline.from);
  const found = await source.discover(
    pipeline.streams.map((stream) => stream.stream),
    attempt,
  );
  const exact = pipeline.streams
    .filter((stream) => !hasWildcard(stream.stream))
    .flatMap((definition) => partsOf(pipeline, definition, found));
  const taken = new Set(exact.map((part) => part.stream));
  const wild = pipeline.streams
    .filter((stream) => hasWildcard(stream.stream))
    .flatMap((definition) => partsOf(pipeline, definition, found).filter((part) => !taken.has(part.stream) && taken.add(part.stream)));
  if (exact.length + wild.length === 0) {
    throw new MillraceError(
      'not-found',
      `pipeline ${pipeline.name}: no table of ${pipeline.from.name} matches ${pipeline.streams.map((stream) => stream.stream).join(', ')}`,
    );
  }
  return unique(pipeline, [...exact, ...wild]);
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
