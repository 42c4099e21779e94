/** A step of a filter chain: its name and, for some, a value in parentheses. */
export interface FilterCall {
  readonly name: FilterName;
  readonly argument: string | number | boolean | null | undefined;
}

/** `{{ match.email | lower | md5 }}` in its parts. */
export interface Placeholder {
  /** `match`. */
  readonly root: string;
  /** `['email']`. */
  readonly names: readonly string[];
  readonly filters: readonly FilterCall[];
}

const filterNames = ['lower', 'md5', 'sha256', 'json', 'url', 'nest', 'default'] as const;
export type FilterName = (typeof filterNames)[number];

/** A text cut at its placeholders. */
export type Segment = string | Placeholder;

const placeholderPattern = /\{\{(.*?)\}\}/gs;
const expressionPattern = /^\s*([A-Za-z_]\w*)((?:\s*\.\s*[\w-]+|\s*\[\s*"(?:[^"\\]|\\.)*"\s*\])*)\s*((?:\|[^|]*)*)$/s;
const namePattern = /\.\s*([\w-]+)|\[\s*("(?:[^"\\]|\\.)*")\s*\]/g;
const filterPattern = /^\s*([a-z][a-z0-9]*)\s*(?:\(\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null)\s*\))?\s*$/;

/** The longest text that is looked at for placeholders. */
const longest = 10_000;

/** A text with placeholders in its segments. Throws an `Error` that says what is wrong with it. */
export function parseText(text: string): readonly Segment[] {
  if (text.length > longest) throw new Error(`a text with placeholders has at most ${longest} characters`);
  const segments: Segment[] = [];
  let end = 0;
  for (const match of text.matchAll(placeholderPattern)) {
    if (match.index > end) segments.push(plain(text.slice(end, match.index)));
    segments.push(parseExpression(match[1] ?? ''));
    end = match.index + match[0].length;
  }
  if (end < text.length) segments.push(plain(text.slice(end)));
  return segments;
}

function plain(text: string): string {
  if (text.includes('{{') || text.includes('}}')) throw new Error('{{ and }} belong together, around one placeholder');
  return text;
}

function parseExpression(text: string): Placeholder {
  const [, root, names, filters] = expressionPattern.exec(text) ?? [];
  if (root === undefined) {
    throw new Error(`{{${text}}} is not a placeholder; the form is {{ match.email }}, {{ fields["a b"] }} or {{ match.email | lower }}`);
  }
  return {
    root,
    names: [...(names ?? '').matchAll(namePattern)].map(([, plainName, quoted]) => plainName ?? String(JSON.parse(quoted ?? '""'))),
    filters: (filters ?? '').split('|').slice(1).map(parseFilter),
  };
}

const isFilter = (name: string): name is FilterName => filterNames.some((known) => known === name);

function parseFilter(text: string): FilterCall {
  const [, name = '', argument] = filterPattern.exec(text) ?? [];
  if (!isFilter(name)) throw new Error(`there is no filter "${text.trim()}"; there are ${filterNames.join(', ')}`);
  if ((name === 'default') !== (argument !== undefined)) {
    throw new Error(name === 'default' ? 'the filter default needs a value: default("none")' : `the filter ${name} takes no value`);
  }
  const parsed: unknown = argument === undefined ? undefined : JSON.parse(argument);
  return { name, argument: isScalar(parsed) ? parsed : undefined };
}

const isScalar = (value: unknown): value is string | number | boolean | null =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);
