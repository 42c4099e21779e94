import { MillraceError } from '../../schema/errors.ts';
import { type Column, type ColumnType, parseType } from '../../schema/column.ts';

const wholeNumbers: readonly string[] = ['smallint', 'integer', 'bigint'];
const floats: readonly string[] = ['real', 'double'];

/** The narrowest of our types that holds the values of both. */
function widen(a: ColumnType, b: ColumnType): ColumnType {
  if (a === b) return a;
  const both = (test: (type: ColumnType) => boolean) => test(a) && test(b);
  if (!both((type) => !isNested(type))) return 'jsonb';
  if (both((type) => wholeNumbers.includes(type)))
    return wholeNumbers[Math.max(wholeNumbers.indexOf(a), wholeNumbers.indexOf(b))] ?? 'bigint';
  if (both((type) => floats.includes(type))) return 'double';
  return both(isNumber) ? 'numeric' : 'text';
}

function isNested(type: ColumnType): boolean {
  return type === 'jsonb' || parseType(type)?.array === true;
}

function isNumber(type: ColumnType): boolean {
  return wholeNumbers.includes(type) || floats.includes(type) || parseType(type)?.base === 'numeric';
}

/** Unites columns by name, ignoring case as SQL does: the first spelling and place, the widest type. */
export function uniteColumns(lists: readonly (readonly Column[])[]): readonly Column[] {
  const united = new Map<string, Column>();
  for (const column of lists.flat()) {
    const id = column.name.toLowerCase();
    const known = united.get(id);
    united.set(id, known === undefined ? column : { name: known.name, type: widen(known.type, column.type) });
  }
  return [...united.values()];
}

/** Names for the columns of a header: trimmed; empty and repeated ones get a name of their own, told in the notes. */
export function nameColumns(header: readonly string[]): { readonly names: readonly string[]; readonly notes: string[] } {
  const trimmed = header.map((name) => name.trim());
  const taken = new Set(trimmed.map((name) => name.toLowerCase()));
  const used = new Set<string>();
  const notes: string[] = [];
  const names = trimmed.map((name, index) => {
    if (name !== '' && !used.has(name.toLowerCase())) {
      used.add(name.toLowerCase());
      return name;
    }
    const made = firstFree(name === '' ? `column${index + 1}` : `${name}_2`, taken);
    notes.push(name === '' ? `column ${index + 1} has no name and is called ${made}` : `a second column ${name} is called ${made}`);
    return made;
  });
  return { names, notes };
}

function firstFree(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${wanted.replace(/_\d+$/, '')}_${number}`;
  taken.add(name.toLowerCase());
  return name;
}

/** Throws `config` when two keys of JSON objects (or columns of a Parquet file) are one column to SQL, or one has no name. */
export function refuseSameNames(columns: readonly Column[]): void {
  const seen = new Map<string, string>();
  for (const { name } of columns) {
    if (name === '') throw new MillraceError('config', 'a column has an empty name. Give it one.');
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      throw new MillraceError(
        'config',
        `${JSON.stringify(other)} and ${JSON.stringify(name)} differ only in upper and lower case. Rename one of them.`,
      );
    }
    seen.set(name.toLowerCase(), name);
  }
}
