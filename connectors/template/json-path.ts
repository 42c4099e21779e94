import { compile, type JSONPathQuery } from 'json-p3';

/** A path of RFC 9535 into an answer, checked once. */
export type JsonPath = JSONPathQuery;

/** Is a text a path of RFC 9535? */
export function isJsonPath(text: string): boolean {
  try {
    compile(text);
    return true;
  } catch {
    return false;
  }
}

export const jsonPath = (text: string): JsonPath => compile(text);

/** A value that a path found, and its place in the list it stands in; undefined when it stands in none. */
export interface Found {
  readonly value: unknown;
  readonly index: number | undefined;
}

type Value = Parameters<JSONPathQuery['query']>[0];

/** Everything that a path finds. The place is that in the answer's own list, whatever a filter left out. */
export function findAll(path: JsonPath, body: unknown): readonly Found[] {
  if (body === undefined) return [];
  return path.query(body as Value).nodes.map(({ value, location }) => {
    const index = location.findLast((part) => typeof part === 'number');
    return { value, index };
  });
}

/** The first thing that a path finds; undefined when there is nothing. */
export const findFirst = (path: JsonPath | undefined, body: unknown): unknown =>
  path === undefined ? undefined : findAll(path, body)[0]?.value;

/** A text of a found value for people and for comparing; undefined for nothing, NULL and the empty text. */
export function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
