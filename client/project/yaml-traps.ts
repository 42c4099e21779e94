import { isCollection, isScalar, visit, type Document, type Pair, type Scalar } from 'yaml';
import type { Position, Problem } from './finding.ts';
import { quote } from './yaml-syntax.ts';

/** Valid YAML that is read as something else than it looks like: `decimal(14,2)` cut at its comma, `0123` as 123, a value cut at ` #`. */
export function trapProblems(document: Document.Parsed, text: string, position: Position): readonly Problem[] {
  const byOffset = new Map<number, Problem>();
  const add = (offset: number, message: string) => {
    byOffset.set(offset, { path: [], message, ...position(offset) });
  };
  visit(document, {
    Scalar(_, node, ancestors) {
      const offset = node.range?.[0];
      if (offset === undefined || node.type !== 'PLAIN') return;
      const message = cutAtComma(node, text, offset, ancestors) ?? cutAtComment(node, text, offset) ?? otherNumber(node);
      if (message !== undefined) add(offset, message);
    },
    Pair(_, pair) {
      const found = strangeName(pair);
      if (found !== undefined && !byOffset.has(found.offset)) add(found.offset, found.message);
    },
  });
  return [...byOffset.values()];
}

function opens(text: string): number {
  return text.split('(').length - text.split(')').length;
}

/** Inside `{ }` and `[ ]` a comma ends a value, even within parentheses. */
function cutAtComma(node: Scalar, text: string, offset: number, ancestors: readonly unknown[]): string | undefined {
  const source = node.source ?? '';
  if (opens(source) <= 0 || !ancestors.some((ancestor) => isFlow(ancestor))) return undefined;
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

/** ` #` begins a comment, even within the quotes of SQL. */
function cutAtComment(node: Scalar, text: string, offset: number): string | undefined {
  const source = node.source ?? '';
  const quotes = source.split("'").length - 1;
  const rest = /^[^\n]*/.exec(text.slice(offset + source.length))?.[0] ?? '';
  if (!/^\s+#/.test(rest) || (quotes % 2 === 0 && opens(source) <= 0)) return undefined;
  return `A # after a space begins a comment: put the whole value in quotes: ${quote(source + rest.trimEnd())}.`;
}

/** A number that isn't written as it is read: a code with a leading zero, an exponent, digits beyond what a number holds. */
function otherNumber(node: Scalar): string | undefined {
  const source = node.source ?? '';
  if (typeof node.value !== 'number' || isPlainNumber(source, node.value)) return undefined;
  return `YAML reads ${source} as the number ${node.value}: write ${quote(source)} in quotes if it is meant as text.`;
}

function isPlainNumber(source: string, value: number): boolean {
  if (!/^-?(0|[1-9]\d*)(\.\d+)?$/.test(source) || !Number.isFinite(value)) return false;
  return source.replace(/\D/g, '').replace(/^0+/, '').length <= 15;
}

interface Trap {
  readonly offset: number;
  readonly message: string;
}

function strangeName({ key, value }: Pair): Trap | undefined {
  if (!isScalar(key)) return nameWithoutText(key);
  const offset = key.range?.[0];
  const message = key.type === 'PLAIN' ? plainName(key, value) : undefined;
  return offset === undefined || message === undefined ? undefined : { offset, message };
}

function plainName({ value: name, source = '' }: Scalar, value: unknown): string | undefined {
  if (typeof name === 'string') {
    if (!source.includes(':') || !isEmpty(value)) return undefined;
    return `After a colon comes a space: write ${source.replace(':', ': ')}, or ${quote(source)} if it is one name.`;
  }
  if (typeof name === 'number' && String(name) === source) return undefined;
  return `YAML does not read ${source === '' ? 'an empty name' : `the name ${source}`} as text: write ${quote(source)} in quotes.`;
}

/** `{ {a} }`: a mapping or list in place of a name. */
function nameWithoutText(key: unknown): Trap | undefined {
  const offset = isCollection(key) ? key.range?.[0] : undefined;
  return offset === undefined ? undefined : { offset, message: 'A name must be text: put it in quotes.' };
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (isScalar(value) && value.value === null && (value.source ?? '') === '');
}
