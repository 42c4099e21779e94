import { visit, type Document, type YAMLError } from 'yaml';
import type { Position, Problem } from './finding.ts';

/** What makes the text no YAML, or other YAML than was meant, as sentences that say what to quote; at most one for each line. */
export function syntaxProblems(document: Document.Parsed, text: string, position: Position): readonly Problem[] {
  const byLine = new Map<number, Problem>();
  const add = (offset: number, message: string) => {
    const place = position(offset);
    if (!byLine.has(place.line)) byLine.set(place.line, { path: [], message, ...place });
  };
  for (const { offset, name } of strayAliases(document, text)) {
    add(offset, `A plain * begins a reference in YAML: write ${JSON.stringify(name)} in quotes.`);
  }
  for (const error of [...document.errors, ...document.warnings]) add(error.pos[0], errorSentence(error, text));
  return [...byLine.values()].toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

function strayAliases(document: Document.Parsed, text: string): readonly { offset: number; name: string }[] {
  const stray: { offset: number; name: string }[] = [];
  visit(document, {
    Alias(_, alias) {
      const offset = alias.range?.[0];
      if (offset === undefined || alias.resolve(document) !== undefined) return;
      stray.push({ offset, name: /^\*.*?(?=:?\s|:?$|[,\]}])/m.exec(text.slice(offset))?.[0] ?? '*' });
    },
  });
  return stray;
}

function errorSentence(error: YAMLError, text: string): string {
  const offset = error.pos[0];
  const value = valueOnLine(text, offset);
  const quoted = value === undefined ? 'put the whole value in quotes' : `write ${quote(value)}`;
  const first = text[offset] ?? '';
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return `The name ${firstWord(text, offset)} stands here twice: leave one out.`;
    case 'TAB_AS_INDENT':
      return 'A tab cannot indent: use spaces.';
    case 'BAD_SCALAR_START':
      return `A plain value cannot begin with ${first}: ${reserved(text, offset)}.`;
    case 'TAG_RESOLVE_FAILED':
      return `A plain ! begins a tag in YAML: ${quoted}.`;
    case 'BAD_DQ_ESCAPE':
      return `A backslash in double quotes is an escape: use single quotes, or write it twice.`;
    case 'BLOCK_AS_IMPLICIT_KEY':
      return `A value with ": " in it must be in quotes: ${quoted}.`;
    case 'MULTIPLE_DOCS':
      return 'A project file is one document: take the line --- out.';
    default:
      return generalSentence(error, text, value);
  }
}

function generalSentence(error: YAMLError, text: string, value: string | undefined): string {
  const line = lineAt(text, error.pos[0]);
  const reference = /(?<!["'\w])\S*\$\{(?:env|file):[^}]*\}/.exec(line)?.[0];
  if (reference !== undefined && /[{[].*\$\{/.test(line))
    return `Within { } a reference must be in quotes: write ${quote(reference.replace(/^[{[]/, ''))}.`;
  const hint =
    value === undefined ? 'if a value holds { } [ ] , : # & * ! | > or quotes, put the whole value in quotes' : `write ${quote(value)}`;
  if (error.code === 'UNEXPECTED_TOKEN') return `The value ends before this: ${hint}.`;
  return `Not valid YAML (${error.message.replace(/ at line \d+.*$/s, '')}): ${hint}.`;
}

function lineAt(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  return text.slice(start, end === -1 ? undefined : end).replace(/\r$/, '');
}

/** The value that a line of block style gives: what stands after its name. Undefined where the line holds more than one. */
function valueOnLine(text: string, offset: number): string | undefined {
  const line = lineAt(text, offset);
  const match = /^\s*(?:- +)*(?:"[^"]*"|'[^']*'|[\w.*-]+): +(\S.*?)\s*$/.exec(line) ?? /^\s*(?:- +)+(\S.*?)\s*$/.exec(line);
  const value = match?.[1];
  return value === undefined || /^\{.*\}$|^\[.*\]$/.test(value) || /^[{]\s*\w+:/.test(value) ? undefined : value;
}

function reserved(text: string, offset: number): string {
  const token = /^[^,\]}\n]*/.exec(text.slice(offset))?.[0].trim() ?? '';
  const value = valueOnLine(text, offset);
  return `write ${quote(value?.startsWith(token) === true ? value : token)}`;
}

/** The text in the quotes that need no escapes. */
export function quote(text: string): string {
  if (!/["\\]/.test(text)) return `"${text}"`;
  return `'${text.replaceAll("'", "''")}'`;
}

function firstWord(text: string, offset: number): string {
  return /^("[^"]*"|'[^']*'|[^:\s]+)/.exec(text.slice(offset))?.[0] ?? '';
}
