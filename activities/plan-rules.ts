import { createHash } from 'node:crypto';
import type { Column } from '../schema/column.ts';
import { MillraceError } from '../schema/errors.ts';
import type { Fingerprint } from '../schema/load.ts';
import type { StreamRun } from '../schema/run.ts';
import type { Stream } from '../schema/stream.ts';

/** Names a stream in messages. */
export const placeOf = ({ pipeline, part }: StreamRun): string => `pipeline ${pipeline.name}, stream ${part.stream}`;

/** The key of a stream: the definition's, else the source's. Throws `config` where the mode needs one and there is none. */
export function keyOf(run: StreamRun, stream: Stream): readonly string[] {
  const { definition } = run.part;
  const key = definition.key.length > 0 ? definition.key : stream.key;
  if (key.length === 0 && (definition.mode === 'merge' || definition.mode === 'history')) {
    throw new MillraceError(
      'config',
      `${placeOf(run)}: mode ${definition.mode} needs a key; ${stream.name} has no primary key, so name its columns with key`,
    );
  }
  return key;
}

/** The key as far as it is delivered. Throws `config` when a column that the definition names isn't. */
export function deliveredKey(run: StreamRun, key: readonly string[], columns: readonly Column[]): readonly string[] {
  const missing = key.filter((name) => !columns.some((column) => column.name === name));
  if (missing.length === 0) return key;
  if (run.part.definition.key.length === 0) return [];
  throw new MillraceError(
    'config',
    `${placeOf(run)}: the key column ${missing.join(', ')} is not among the columns after the transform (${columns.map((column) => column.name).join(', ')})`,
  );
}

/** Refuses a window where reading it again would double rows or lose the rest. */
export function checkWindow(run: StreamRun, key: readonly string[]): void {
  const { mode } = run.part.definition;
  if (run.options.window === undefined) return;
  if (mode === 'replace')
    throw new MillraceError(
      'config',
      `${placeOf(run)}: a window (--from, --to) can't be read again in mode replace, which reads everything anyway`,
    );
  if (mode === 'append' && key.length === 0) {
    throw new MillraceError(
      'config',
      `${placeOf(run)}: a window (--from, --to) of mode append needs a key, to leave out the rows that are there already; name its columns with key`,
    );
  }
}

/** Refuses what would lose or double events, which can't be read again. */
export function checkEvents(run: StreamRun, key: readonly string[]): void {
  const { mode } = run.part.definition;
  if (run.options.fullRefresh || mode === 'replace')
    throw new MillraceError(
      'config',
      `${placeOf(run)}: events can't be read again, so ${run.options.fullRefresh ? '--full-refresh' : 'mode replace'} would lose those that were loaded`,
    );
  if (key.length === 0)
    throw new MillraceError(
      'config',
      `${placeOf(run)}: the transform leaves out the key of the events, by which one that comes again is known; keep it`,
    );
}

/** What the stream's state hangs on. */
export function fingerprintOf(run: StreamRun, key: readonly string[], identity: string): Fingerprint {
  const { definition, target } = run.part;
  return {
    source: identity,
    stream: run.part.stream,
    cursor: definition.cursor ?? null,
    key,
    mode: definition.mode,
    target: `${target.schema}.${target.table}`,
    transform: createHash('sha256').update(JSON.stringify(definition.transform)).digest('hex').slice(0, 16),
  };
}
