import { isCollection, isScalar, visit, type Document, type Pair, type Scalar, type YAMLMap } from 'yaml';
import type { Position, Problem } from './finding.ts';
import { cutAtComma, lineAt, opens, quote, valueOnLine } from './yaml-text.ts';

/** Valid YAML that is read as something else than it looks like: `decimal(14,2)` cut at its comma, `0123` as 123, a value cut at ` #`. */
export function trapProblems(document: Document.Parsed, text: string, position: Position): readonly Problem[] {
  const byOffset = new Map<number, Problem>();
  const add = (offset: number, message: string) => {
    byOffset.set(offset, { path: [], message, ...position(offset) });
  };
  const referred = anchorsReferredTo(document);
  visit(document, {
    Scalar(_, node, ancestors) {
      const offset = node.range?.[0];
      if (offset === undefined || node.type !== 'PLAIN') return;
      const message =
        cutAtComma(node, text, offset, ancestors) ??
        cutAtComment(node, text, offset) ??
        otherNumber(node) ??
        marked(node, text, offset, referred);
      if (message !== undefined) add(offset, message);
    },
    Map(_, map) {
      const found = map.flow === true ? cutIntoNames(map, text) : undefined;
      if (found !== undefined) add(found.offset, found.message);
    },
    Pair(_, pair) {
      const found = strangeName(pair);
      if (found !== undefined && !byOffset.has(found.offset)) add(found.offset, found.message);
    },
  });
  return [...byOffset.values()];
}

/** ` #` begins a comment, even within the quotes of SQL. */
function cutAtComment(node: Scalar, text: string, offset: number): string | undefined {
  const source = node.source ?? '';
  const quotes = source.split("'").length - 1;
  const rest = /^[^\n]*/.exec(text.slice(offset + source.length))?.[0] ?? '';
  if (!/^\s+#/.test(rest) || (quotes % 2 === 0 && opens(source) <= 0)) return undefined;
  return `A # after a space begins a comment: put the whole value in quotes: ${quote(source + rest.trimEnd())}.`;
}

/** `&x` names a value for later, `!` marks its type: neither is part of a text. */
function marked(node: Scalar, text: string, offset: number, referred: ReadonlySet<string>): string | undefined {
  const isStray = node.anchor !== undefined && !referred.has(node.anchor);
  if (!isStray && node.tag !== '!') return undefined;
  const value = valueOnLine(text, offset) ?? /[&!][^,\]}]*/.exec(lineAt(text, offset))?.[0].trim() ?? '';
  return isStray ? `A plain & begins an anchor in YAML: write ${quote(value)}.` : `A plain ! begins a tag in YAML: write ${quote(value)}.`;
}

function anchorsReferredTo(document: Document.Parsed): ReadonlySet<string> {
  const names = new Set<string>();
  visit(document, {
    Alias(_, alias) {
      names.add(alias.source);
    },
  });
  return names;
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

/** `{ sql: SELECT a, b FROM t }`: behind the comma stand names without a value. */
function cutIntoNames({ items }: YAMLMap, text: string): Trap | undefined {
  const first = items.findIndex(({ key, value }) => isScalar(key) && key.type === 'PLAIN' && value === null);
  const before = items[first - 1]?.value;
  if (first < 1 || !isScalar(before) || before.type !== 'PLAIN' || before.range == null) return undefined;
  const after = items.findIndex(({ value }, index) => index > first && value !== null);
  const last = items[after === -1 ? items.length - 1 : after - 1]?.key;
  const end = isScalar(last) ? last.range?.[1] : undefined;
  const [offset] = before.range;
  return { offset, message: `A comma ends a value within { } and [ ]: write ${quote(text.slice(offset, end))} in quotes.` };
}

/** `{ {a} }`: a mapping or list in place of a name. */
function nameWithoutText(key: unknown): Trap | undefined {
  const offset = isCollection(key) ? key.range?.[0] : undefined;
  return offset === undefined ? undefined : { offset, message: 'A name must be text: put it in quotes.' };
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (isScalar(value) && value.value === null && (value.source ?? '') === '');
}
