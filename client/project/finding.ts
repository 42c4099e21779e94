import { closest, distance } from 'fastest-levenshtein';

/** A place in the project file: property names and list positions from the top. */
export type Path = readonly (string | number)[];

/** Something wrong in the project file, before it is known where in the text it stands. */
export interface Finding {
  readonly path: Path;
  /** Whether the name or the value at the path is meant. */
  readonly at: 'name' | 'value';
  /** A sentence that goes on after the path. */
  readonly message: string;
  /** A text was expected where something else stands. */
  readonly wantsText?: boolean;
}

/** A finding with its place in the file; line and column count from 1. */
export interface Problem {
  readonly path: Path;
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
}

/** Line and column, from 1, of an offset in the text. */
export type Position = (offset: number) => { readonly line: number; readonly column: number };

export function wrong(path: Path, message: string, at: Finding['at'] = 'value'): Finding {
  return { path, at, message };
}

/** `pipelines.shop.streams["sales.*"].mode` */
function pathText(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[A-Za-z_][\w-]*$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

/** ` Did you mean "orders"?`, or the names there are, or nothing. */
export function suggestion(name: string, known: readonly string[]): string {
  if (known.length === 0) return '';
  const nearest = closest(name.toLowerCase(), known);
  const edits = distance(name.toLowerCase(), nearest.toLowerCase());
  if (edits < name.length && edits <= Math.max(2, Math.floor(nearest.length / 3))) return ` Did you mean "${nearest}"?`;
  return known.length > 24 ? '' : ` Known here: ${known.join(', ')}.`;
}

/** `a`, `a or b`, `a, b or c` */
export function either(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} or ${parts.at(-1)}`;
}

/** One line for each problem: file, line, column, path and sentence; without the password of a URL that is quoted. */
export function problemsText(file: string, problems: readonly Problem[]): string {
  return problems
    .map(({ path, message, line, column }) => {
      const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
      return path.length === 0 ? `${place}: ${message}` : `${place}: ${pathText(path)} ${message}`;
    })
    .join('\n')
    .replace(/(:\/\/[^\s:/@]*:)[^\s@]+@/g, '$1***@');
}
