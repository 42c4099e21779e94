import type { StreamDefinition } from '../../schema/definition.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { FilesCursor } from './cursor.ts';
import type { FoundFile } from './find-files.ts';

/** The files that a run reads, and whether these are all of the stream. */
export interface ChosenFiles {
  readonly files: readonly FoundFile[];
  readonly complete: boolean;
}

/**
 * Chooses by mode: `replace` reads all files, `append` the new ones, `merge` and `history` those that are new or changed.
 * Where deletes are inferred, all are read as soon as one is new or changed. Throws `config` when `append` meets a changed file.
 */
export function chooseFiles(found: readonly FoundFile[], cursor: FilesCursor, definition: StreamDefinition): ChosenFiles {
  if (definition.mode === 'replace') return { files: found, complete: true };
  const changed = found.filter((file) => cursor.compare(file) === 'changed');
  if (definition.mode === 'append' && changed.length > 0) throw changedError(changed, definition.stream);
  const wanted = found.filter((file) => cursor.compare(file) !== 'same');
  const all = wanted.length > 0 && definition.deletes !== 'keep' && definition.mode !== 'append';
  const files = all ? found : wanted;
  return { files, complete: files.length === found.length };
}

function changedError(changed: readonly FoundFile[], stream: string): MillraceError {
  const names = changed.slice(0, 5).map((file) => file.path);
  const others = changed.length > names.length ? ` and ${changed.length - names.length} more` : '';
  return new MillraceError(
    'config',
    `Stream ${stream}: ${names.join(', ')}${others} changed since it was appended, and append reads a file once. ` +
      `Put new rows into new files, use mode merge with a key, or run once with --full-refresh.`,
  );
}
