import type { OutgoingRow } from '../application.ts';
import type { MatchingDeclaration } from './declaration.ts';
import { findAll, jsonPath, textOf, type Found, type JsonPath } from './json-path.ts';
import { compileText } from './render.ts';
import { rowScope, type ObjectScope } from './scope.ts';

/** Finds the rows of a batch that an entry of its answer is about, by their places. */
type Matcher = (entry: Found) => readonly number[];

/** For rows of a batch. */
export type Matching = (rows: readonly OutgoingRow[], scope: ObjectScope) => Matcher;

export function compileMatching(declared: MatchingDeclaration): Matching {
  if (declared === 'index')
    return (rows) =>
      ({ index }) =>
        inside(rows, index);
  if ('index' in declared) {
    const path = jsonPath(declared.index);
    const first = declared.first ?? 0;
    return (rows) =>
      ({ value }) =>
        findAll(path, value).flatMap((found) => inside(rows, Number(found.value) - first));
  }
  const pathFor = pathsOf(declared.key);
  const field = compileText(declared.field);
  const normal = (value: unknown): string | undefined => {
    const text = textOf(value);
    return declared.ignore_case === true ? text?.toLowerCase() : text;
  };
  return (rows, scope) => {
    const path = pathFor(scope.matchName);
    const places = new Map<string, number>();
    for (const [place, row] of rows.entries()) {
      const key = normal(field(rowScope(scope, row)));
      if (key !== undefined) places.set(key, place);
    }
    return ({ value }) => (path === undefined ? [] : findAll(path, value)).flatMap((found) => places.get(normal(found.value) ?? '') ?? []);
  };
}

const inside = (rows: readonly OutgoingRow[], place: number | undefined): readonly number[] =>
  place !== undefined && Number.isInteger(place) && place >= 0 && place < rows.length ? [place] : [];

function pathsOf(key: string | Readonly<Record<string, string>>): (matchName: string) => JsonPath | undefined {
  if (typeof key === 'string') {
    const path = jsonPath(key);
    return () => path;
  }
  const paths = new Map(Object.entries(key).map(([name, text]) => [name, jsonPath(text)]));
  return (matchName) => paths.get(matchName);
}
