import type { z } from 'zod';
import { either, suggestion, type Finding, type Path } from './finding.ts';

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

export type Validated<T> = { readonly value: T } | { readonly findings: readonly Finding[] };

/** Checks data against a schema; what is wrong comes as sentences, all at once, with the nearest known name for a typo. */
export function validate<T extends z.ZodType>(schema: T, data: unknown): Validated<z.infer<T>> {
  const known = new KnownNames();
  const result = schema.safeParse(data, { error: (issue) => sentence(issue, known) });
  if (result.success) return { value: result.data };
  const reader = { data, known };
  const findings = result.error.issues.flatMap((issue) => findingsOf(issue, [], reader));
  // Our schemas take values as they are, so data whose only fault is a reference not looked up yet is the value.
  return findings.length === 0 ? { value: data as z.infer<T> } : { findings };
}

interface Reader {
  readonly data: unknown;
  readonly known: KnownNames;
}

/** Names that an object of the data may have, over all alternatives that were tried on it. */
class KnownNames {
  readonly #names = new Map<unknown, Set<string>>();

  add(input: unknown, names: readonly string[]): void {
    const set = this.#names.get(input) ?? new Set();
    for (const name of names) set.add(name);
    this.#names.set(input, set);
  }

  of(input: unknown): readonly string[] {
    return [...(this.#names.get(input) ?? [])];
  }
}

const nouns: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true/false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function described(input: unknown): string {
  if (input === null) return 'nothing';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'object') return 'a mapping';
  if (typeof input === 'string') return 'text';
  if (typeof input === 'boolean') return `${input}`;
  return typeof input === 'number' ? `the number ${input}` : typeof input;
}

function sentence(issue: RawIssue, known: KnownNames): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : typeSentence([nouns[issue.expected] ?? issue.expected], issue.input);
    case 'unrecognized_keys':
      known.add(issue.input, shapeNames(issue.inst));
      return 'has unknown names';
    case 'invalid_value':
      return valueSentence(issue.values.map(String), issue.input);
    case 'invalid_union':
      return unionSentence(issue.inst, issue.input);
    default:
      return sizeSentence(issue);
  }
}

function sizeSentence(issue: RawIssue): string | undefined {
  if (issue.code === 'too_small') {
    return issue.origin === 'number' || issue.origin === 'int' ? `must be at least ${issue.minimum}` : 'must not be empty';
  }
  if (issue.code !== 'too_big') return undefined;
  return issue.origin === 'string' ? `must have at most ${issue.maximum} characters` : `must be at most ${issue.maximum}`;
}

function typeSentence(expected: readonly string[], input: unknown): string {
  if (expected.includes('true/false') && typeof input === 'string') {
    if (/^(yes|y|on)$/i.test(input)) return 'must be true or false: write true';
    if (/^(no|n|off)$/i.test(input)) return 'must be true or false: write false';
  }
  const only = new Set(expected).size === 1 ? expected[0] : undefined;
  return `must be ${either([...new Set(expected)])}, not ${described(input)}${typeHint(only, input)}`;
}

function typeHint(only: string | undefined, input: unknown): string {
  if (only === 'a mapping' && input === null) return ' ({} is an empty one)';
  return only === 'a list' && typeof input === 'string' && /^[\w.]+$/.test(input) ? `: write [${input}]` : '';
}

function valueSentence(values: readonly string[], input: unknown): string {
  const listed = either(values.map((value) => JSON.stringify(value)));
  if (input === undefined) return `is missing: ${listed}`;
  if (typeof input !== 'string') return `must be ${listed}, not ${described(input)}`;
  const hint = suggestion(input, values);
  return `must be ${listed}, not ${JSON.stringify(input)}.${hint.startsWith(' Did') ? hint : ''}`;
}

/** Only a union by `type` gets here without alternatives of its own: the name in `type` is not known. */
function unionSentence(schema: unknown, input: unknown): string | undefined {
  const kinds = propertyAt(schema, ['_zod', 'propValues', 'type']);
  if (!(kinds instanceof Set)) return undefined;
  return valueSentence([...kinds].map(String), propertyAt(input, ['type']));
}

function shapeNames(schema: unknown): readonly string[] {
  const shape = propertyAt(schema, ['_zod', 'def', 'shape']);
  return typeof shape === 'object' && shape !== null ? Object.keys(shape) : [];
}

function propertyAt(value: unknown, path: Path): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = Reflect.get(found, part);
  }
  return found;
}

function findingsOf(issue: Issue, base: Path, reader: Reader): readonly Finding[] {
  const path: Path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  if (issue.code === 'unrecognized_keys') return unknownNames(path, issue.keys, reader);
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return unionFindings(issue.errors, path, reader);
  if (issue.code === 'invalid_key') return [{ path, at: 'name', message: issue.issues[0]?.message ?? issue.message }];
  if (isFormOfReference(issue, propertyAt(reader.data, path))) return [];
  return [{ path, at: 'value', message: issue.message, wantsText: issue.message.startsWith('must be text') }];
}

/** The form of what a reference stands for is known on the worker alone. */
function isFormOfReference({ code }: Issue, input: unknown): boolean {
  return (code === 'invalid_format' || code === 'custom') && typeof input === 'string' && /\$\{(?:env|file):/.test(input);
}

function unknownNames(path: Path, names: readonly string[], { data, known }: Reader): readonly Finding[] {
  const input = propertyAt(data, path);
  const all = known.of(input);
  const strange = names.filter((name) => !all.includes(name));
  if (strange.length > 0) {
    return strange.map((name) => ({ path: [...path, name], at: 'name', message: `is not known.${suggestion(name, all)}` }));
  }
  const together = typeof input === 'object' && input !== null ? Object.keys(input).join('" and "') : '';
  return [{ path, at: 'value', message: `has "${together}", which cannot stand together: write one entry for each` }];
}

/** Weighs an alternative that did not match: the lightest is the one that was meant. */
function weight(issues: readonly Issue[]): number {
  return issues.reduce((total, issue) => total + issueWeight(issue), 0);
}

function issueWeight(issue: Issue): number {
  if (issue.path.length > 1) return 1;
  if (issue.path.length === 1) return issue.message === 'is missing' ? 10 : 1;
  if (issue.code === 'unrecognized_keys') return 100 * issue.keys.length;
  if (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union') return 10_000;
  return 1000;
}

function unionFindings(alternatives: readonly (readonly Issue[])[], path: Path, reader: Reader): readonly Finding[] {
  const sorted = [...alternatives].toSorted((a, b) => weight(a) - weight(b));
  const meant = sorted[0] ?? [];
  if (weight(meant) >= 10_000) return [mismatch(alternatives.flat(), path, reader)];
  const unknown = meant.filter((issue) => issue.code === 'unrecognized_keys' && issue.path.length === 0);
  return (unknown.length > 0 ? unknown : meant).flatMap((issue) => findingsOf(issue, path, reader));
}

/** A sentence of this file, and none that a schema has of its own. */
const isOurs = (message: string): boolean =>
  message === 'is missing' || Object.values(nouns).some((noun) => message.startsWith(`must be ${noun}`));

function mismatch(issues: readonly Issue[], path: Path, { data }: Reader): Finding {
  const input = propertyAt(data, path);
  const quantity = issues.find((issue) => issue.code === 'invalid_type' && issue.path.length === 0 && !isOurs(issue.message));
  if (quantity !== undefined && input !== undefined) return { path, at: 'value', message: quantity.message };
  const expected = issues.flatMap(expectedNouns);
  const message = input === undefined ? `is missing: ${either([...new Set(expected)])}` : typeSentence(expected, input);
  return { path, at: 'value', message, wantsText: expected.includes('text') };
}

function expectedNouns(issue: Issue): readonly string[] {
  if (issue.path.length > 0 && issue.code !== 'invalid_type') return [];
  if (issue.code === 'invalid_type') return [nouns[issue.expected] ?? issue.expected];
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value));
  if (issue.code === 'invalid_union') return issue.errors.flat().flatMap(expectedNouns);
  return [];
}
