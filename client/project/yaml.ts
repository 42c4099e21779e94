import {
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type ParsedNode,
  type Scalar,
} from 'yaml';
import type { Finding, Path, Position, Problem } from './finding.ts';
import { syntaxProblems } from './yaml-syntax.ts';
import { trapProblems } from './yaml-traps.ts';

/** A YAML file as data, what its text itself has wrong, and where in the text things stand. */
export interface YamlFile {
  readonly data: unknown;
  readonly problems: readonly Problem[];
  /** False when the text is no YAML, so that `data` means nothing. */
  readonly readable: boolean;
  /** Puts a finding at its line and column; where YAML itself turned a text into something else, says what to quote. */
  readonly place: (finding: Finding) => Problem;
}

const maxAliases = 100;

/** Reads YAML 1.2 (core schema) with anchors and `<<`. */
export function readYaml(text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, schema: 'core', prettyErrors: false, merge: true, logLevel: 'silent' });
  const position = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const syntax = syntaxProblems(document, text, position);
  const place = (finding: Finding): Problem => placed(document, finding, position);
  if (syntax.length > 0) return { data: undefined, problems: syntax, readable: false, place };
  try {
    const data: unknown = document.toJS({ maxAliasCount: maxAliases });
    return { data, problems: trapProblems(document, text, position), readable: true, place };
  } catch {
    const message = `More than ${maxAliases} references to anchors: write the values out.`;
    return { data: undefined, problems: [{ path: [], message, line: 1, column: 1 }], readable: false, place };
  }
}

function placed(document: Document.Parsed, finding: Finding, position: Position): Problem {
  const found = find(document, finding.path);
  const node = finding.at === 'name' ? (found.name ?? found.value) : (found.value ?? found.name);
  const message = finding.message + (finding.wantsText === true && found.exact ? quoting(found.value) : '');
  const offset = node?.range?.[0];
  return { path: finding.path, message, ...(offset === undefined ? {} : position(offset)) };
}

interface Found {
  readonly name: Node | undefined;
  readonly value: Node | undefined;
  readonly exact: boolean;
}

/** The node at a path, or its nearest ancestor. */
function find(document: Document.Parsed, path: Path): Found {
  let found: Found = { name: undefined, value: document.contents ?? undefined, exact: true };
  for (const part of path) {
    const next = child(document, found.value, part);
    if (next === undefined) return { ...found, exact: false };
    found = next;
  }
  return found;
}

function child(document: Document.Parsed, parent: Node | undefined, part: string | number): Found | undefined {
  const node = isAlias(parent) ? parent.resolve(document) : parent;
  if (!isCollection(node)) return undefined;
  if (!isMap<ParsedNode, ParsedNode | null>(node)) {
    const item = node.items[Number(part)];
    return isPair(item) || item === undefined ? undefined : { name: undefined, value: asNode(item), exact: true };
  }
  const pair = node.items.find(({ key }) => isScalar(key) && nameOf(key) === String(part));
  return pair === undefined ? undefined : { name: pair.key, value: pair.value ?? undefined, exact: true };
}

function nameOf(key: Scalar): string {
  return typeof key.value === 'string' ? key.value : JSON.stringify(key.value);
}

function asNode(item: unknown): Node | undefined {
  return isScalar(item) || isCollection(item) || isAlias(item) ? item : undefined;
}

function quoting(node: Node | undefined): string {
  if (!isScalar(node) || node.type !== 'PLAIN' || typeof node.value === 'string' || node.source === undefined || node.source === '')
    return '';
  return `. YAML does not read ${node.source} as text: write ${JSON.stringify(node.source)}`;
}
