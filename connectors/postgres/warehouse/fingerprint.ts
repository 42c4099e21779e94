import { MillraceError } from '../../../schema/errors.ts';
import type { Fingerprint, Load } from '../../../schema/load.ts';
import { place } from './names.ts';
import type { BookedState } from './state.ts';

type Part = Exclude<keyof Fingerprint, 'transform'>;

const parts: readonly Part[] = ['source', 'stream', 'target', 'mode', 'key', 'cursor'];

/** A replace keeps nothing of what was there, so only these can be mistakes. */
const partsOfReplace: ReadonlySet<Part> = new Set(['source', 'stream', 'target']);

/**
 * Refuses a load whose state hangs on something else than what is loaded now, and one whose target is gone; gives sentences
 * on what only warns. Not for full refreshes, which accept everything.
 */
export function checkFingerprint(load: Load, state: BookedState, targetExists: boolean): readonly string[] {
  const before = state.fingerprint;
  if (before === null) return [];
  const differences = parts.filter((part) => show(before[part]) !== show(load.fingerprint[part]));
  const isReplace = load.definition.mode === 'replace';
  const refused = isReplace ? differences.filter((part) => partsOfReplace.has(part)) : differences;
  if (refused.length > 0) throw changed(load, before, refused);
  if (!targetExists && !isReplace) throw missing(load);
  const warned: readonly (keyof Fingerprint)[] =
    before.transform === load.fingerprint.transform ? differences : [...differences, 'transform'];
  return warned.map(
    (part) => `${part} changed since the last load${part === 'transform' && !isReplace ? '; rows loaded before keep their values' : ''}`,
  );
}

function show(value: string | readonly string[] | null): string {
  return value === null ? 'none' : typeof value === 'string' ? value : value.join(', ');
}

function changed(load: Load, before: Fingerprint, refused: readonly Part[]): MillraceError {
  const list = refused.map((part) => `${part} was ${show(before[part])} and is ${show(load.fingerprint[part])}`).join('; ');
  return new MillraceError(
    'config',
    `${place(load)}: what was loaded so far does not belong to this definition: ${list}. Undo the change, load everything again with: millrace run ${load.pipeline} --full-refresh, or see millrace state ${load.pipeline}`,
  );
}

function missing(load: Load): MillraceError {
  const { repeats, pipeline, target, definition } = load;
  const table = `${target.schema}.${target.table}`;
  // What came as events can't be read again.
  const anew = `make it anew with a column of its key, and the others are added: CREATE TABLE ${table} (${definition.key.map((name) => `${name} text`).join(', ')})`;
  const remedy = repeats === true ? anew : `load everything again with: millrace run ${pipeline} --full-refresh`;
  return new MillraceError(
    'config',
    `${place(load)}: the table ${table} is missing although it was loaded before. Bring it back, or ${remedy}`,
  );
}
