import type { Scalar } from 'yaml';

/** The text in the kind of quotes that needs no escapes. */
export function quote(text: string): string {
  if (!/["\\]/.test(text)) return `"${text}"`;
  return `'${text.replaceAll("'", "''")}'`;
}

export function lineAt(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  return text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '');
}

/** The value that a line of block style gives: what stands after its name. Undefined where the line holds more than one. */
export function valueOnLine(text: string, offset: number): string | undefined {
  const line = lineAt(text, offset);
  const match = /^\s*(?:- +)*(?:"[^"]*"|'[^']*'|[\w.*-]+): +(\S.*?)\s*$/.exec(line) ?? /^\s*(?:- +)+(\S.*?)\s*$/.exec(line);
  const value = match?.[1];
  return value === undefined || /^\{.*\}$|^\[.*\]$/.test(value) || /^[{]\s*\w+:/.test(value) ? undefined : value;
}

/** The value within `{ }` or `[ ]` that an offset falls into; undefined where its borders aren't clear. */
export function flowValueAt(text: string, offset: number): string | undefined {
  const line = lineAt(text, offset);
  const column = offset - (text.lastIndexOf('\n', offset - 1) + 1);
  const start = /^[-?#&!@`%]/.test(line.slice(column)) ? column : valueStart(line, column);
  const value = line.slice(start, valueEnd(line, start)).trim();
  return value === '' || value.length > 80 ? undefined : value;
}

function valueStart(line: string, column: number): number {
  const before = line.slice(0, column);
  const name = /^.*?\w: +(?=[^{\s][^{]*$|$)/.exec(before)?.[0].length ?? 0;
  return Math.max(name, before.lastIndexOf('{ ') + 2);
}

/** Where a value ends in flow style if what it opens itself is closed first. */
function valueEnd(line: string, start: number): number {
  let depth = 0;
  for (let at = start; at < line.length; at += 1) {
    const letter = line[at] ?? '';
    if (/[([{]/.test(letter)) depth += 1;
    if (depth === 0 && /[,\]}]/.test(letter)) return at;
    if (/[)\]}]/.test(letter)) depth -= 1;
  }
  return line.length;
}

/** How many parentheses a text leaves open. */
export function opens(text: string): number {
  return text.split('(').length - text.split(')').length;
}

/** Inside `{ }` and `[ ]` a comma ends a value, even within parentheses: a sentence when that cut this one. */
export function cutAtComma(node: Scalar, text: string, offset: number, ancestors: readonly unknown[]): string | undefined {
  const source = node.source ?? '';
  if (node.type !== 'PLAIN' || opens(source) <= 0 || !ancestors.some((ancestor) => isFlow(ancestor))) return undefined;
  let end = offset;
  for (let depth = 0; end < text.length && text[end] !== '\n'; end += 1) {
    depth += opens(text[end] ?? '');
    if (text[end] === ')' && depth === 0) break;
  }
  return `A comma ends a value within { } and [ ]: write ${quote(text.slice(offset, end + 1))} in quotes.`;
}

function isFlow(ancestor: unknown): boolean {
  return typeof ancestor === 'object' && ancestor !== null && Reflect.get(ancestor, 'flow') === true;
}
