import { isScalar, visit, type Document, type YAMLError } from 'yaml';
import type { Position, Problem } from './finding.ts';
import { cutAtComma, flowValueAt, lineAt, quote, valueOnLine } from './yaml-text.ts';

interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** What makes the text no YAML, or other YAML than was meant, as sentences that say what to quote; at most one for each line. */
export function syntaxProblems(document: Document.Parsed, text: string, position: Position): readonly Problem[] {
  const errors = [...document.errors, ...document.warnings];
  const aliases = strayAliases(document, text);
  if (errors.length === 0 && aliases.length === 0) return [];
  const faults = [
    ...aliases,
    ...commas(document, text),
    ...errors.filter((error) => !isUnclosed(error)).map((error) => fault(error, text)),
  ];
  const unclosed = errors.filter(isUnclosed).map((error) => unclosedFault(document, error, text));
  const byLine = new Map<number, Problem>();
  // What isn't closed is often only the end of what went wrong before.
  for (const { offset, message } of faults.length > 0 ? faults : unclosed.slice(0, 1)) {
    const place = position(offset);
    if (!byLine.has(place.line)) byLine.set(place.line, { path: [], message, ...place });
  }
  return [...byLine.values()];
}

function strayAliases(document: Document.Parsed, text: string): readonly Fault[] {
  const stray: Fault[] = [];
  visit(document, {
    Alias(_, alias) {
      const offset = alias.range?.[0];
      if (offset === undefined || alias.resolve(document) !== undefined) return;
      const name = /^\*.*?(?=:?\s|:?$|[,\]}])/m.exec(text.slice(offset))?.[0] ?? '*';
      stray.push({ offset, message: `A plain * begins a reference in YAML: write ${quote(name)} in quotes.` });
    },
  });
  return stray;
}

function commas(document: Document.Parsed, text: string): readonly Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Scalar(_, node, ancestors) {
      const offset = node.range?.[0];
      const message = offset === undefined ? undefined : cutAtComma(node, text, offset, ancestors);
      if (offset !== undefined && message !== undefined) faults.push({ offset, message });
    },
  });
  return faults;
}

function isUnclosed({ code, message }: YAMLError): boolean {
  return (code === 'MISSING_CHAR' && !message.startsWith('Comments')) || (code === 'BAD_INDENT' && message.startsWith('Flow '));
}

function unclosedFault(document: Document.Parsed, { pos, message }: YAMLError, text: string): Fault {
  if (message.includes('quote')) return { offset: openedQuote(document, pos[0]), message: 'The quote that opens here is not closed.' };
  const before = text.slice(0, pos[0]).trimEnd();
  const start = before.lastIndexOf('\n') + 1;
  const comment = /[\s[{]#/.exec(before.slice(start))?.index;
  if (comment === undefined)
    return { offset: pos[0], message: message.startsWith('Flow ') ? 'A { or [ above is not closed.' : `${message}.` };
  return { offset: start + comment + 1, message: 'A # begins a comment, so the { or [ before it is not closed: put the value in quotes.' };
}

function openedQuote(document: Document.Parsed, end: number): number {
  let found = end;
  visit(document, {
    Scalar(_, node) {
      const start = node.range?.[0];
      if (isScalar(node) && node.type?.startsWith('QUOTE') === true && start !== undefined && start < end) found = start;
    },
  });
  return found;
}

const sentences: Readonly<Partial<Record<YAMLError['code'], (offset: number, text: string) => string>>> = {
  DUPLICATE_KEY: (offset, text) => `The name ${firstWord(text, offset)} stands here twice: leave one out.`,
  TAB_AS_INDENT: () => 'A tab cannot indent: use spaces.',
  BAD_SCALAR_START: (offset, text) => `A plain value cannot begin with ${text[offset]}: ${advice(text, offset)}.`,
  TAG_RESOLVE_FAILED: (offset, text) => `A plain ! begins a tag in YAML: ${advice(text, offset)}.`,
  BAD_DQ_ESCAPE: () => 'A backslash in double quotes is an escape: use single quotes, or write it twice.',
  MISSING_CHAR: (offset, text) => `A plain # begins a comment: ${advice(text, offset)}.`,
  MULTIPLE_DOCS: () => 'A project file is one document: take the line --- out.',
  BLOCK_IN_FLOW: (offset, text) => `This value must be in quotes: ${advice(text, offset)}.`,
  BAD_ALIAS: (offset, text) => `A plain & begins an anchor in YAML, a plain * a reference: ${advice(text, offset)}.`,
  BLOCK_AS_IMPLICIT_KEY: (offset, text) =>
    valueOnLine(text, offset)?.includes(': ') === true
      ? `A value with ": " in it must be in quotes: ${advice(text, offset)}.`
      : `This value must be in quotes: ${advice(text, offset)}.`,
};

function fault(error: YAMLError, text: string): Fault {
  const offset = error.pos[0];
  return { offset, message: sentences[error.code]?.(offset, text) ?? generalSentence(error, text) };
}

function generalSentence(error: YAMLError, text: string): string {
  const offset = error.pos[0];
  const reference = /\S*\$\{(?:env|file):[^}]*\}/.exec(lineAt(text, offset))?.[0];
  if (reference !== undefined) return `Within { } a reference must be in quotes: write ${quote(reference.replace(/^[{[]/, ''))}.`;
  if (error.code === 'UNEXPECTED_TOKEN') return `The value ends before this: ${advice(text, offset)}.`;
  return `Not valid YAML (${error.message}): ${advice(text, offset)}.`;
}

function advice(text: string, offset: number): string {
  const value = valueOnLine(text, offset) ?? flowValueAt(text, offset);
  return value === undefined
    ? 'if a value holds { } [ ] , : # & * ! | > or quotes, put the whole value in quotes'
    : `write ${quote(value)}`;
}

function firstWord(text: string, offset: number): string {
  return /^("[^"]*"|'[^']*'|[^:\s]+)/.exec(text.slice(offset))?.[0] ?? '';
}
