import { distance } from 'fastest-levenshtein';
import { Problem, type Detail } from '../problem.ts';

/** The longest query of an address, in bytes. */
const longestQuery = 8192;

export interface Parameter {
  /** Decoded. */
  readonly name: string;
  readonly value: string;
}

/** The parameters of a query in their order. Throws 414 when it is too long, 400 when its escapes are broken. */
export function parametersOf(query: string): readonly Parameter[] {
  if (query === '') return [];
  if (query.length > longestQuery)
    throw new Problem(414, 'Address too long', `The query of the address may have ${longestQuery} bytes; post keys to /batch instead.`);
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? { name: decode(part), value: '' } : { name: decode(part.slice(0, at)), value: decode(part.slice(at + 1)) };
    });
}

function decode(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new Problem(400, 'Bad request', 'The address has a broken escape: "%" is followed by two hexadecimal digits of UTF-8.');
  }
}

/** The path and the query of a request's address as sent. */
export function splitAddress(url: string): { readonly path: string; readonly query: string } {
  const at = url.indexOf('?');
  return at < 0 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

/** The items of a list with commas; `\,` is a comma of an item, and `\\` a backslash. */
export function itemsOf(text: string): readonly string[] {
  if (!text.includes('\\')) return text.split(',');
  const items: string[] = [''];
  for (const [piece] of text.matchAll(/\\[\\,]|[^]/gu)) {
    if (piece === ',') items.push('');
    else items[items.length - 1] += piece.length === 2 && piece.startsWith('\\') ? piece.slice(1) : piece;
  }
  return items;
}

/** `; did you mean "x"?` for the nearest of the names that the caller may know, or nothing when none is near. */
export function nearest(name: string, names: Iterable<string>): string {
  const wanted = name.slice(0, 64).toLowerCase();
  const [best] = [...names]
    .map((candidate) => ({ candidate, steps: distance(wanted, candidate.toLowerCase()) }))
    .filter(({ candidate, steps }) => steps < candidate.length && steps <= Math.max(1, Math.floor(candidate.length / 3)))
    .toSorted((one, other) => one.steps - other.steps);
  return best === undefined ? '' : `; did you mean "${best.candidate}"?`;
}

/** A name of the caller's in a message: cut, so that no request fills an answer. */
export const shown = (name: string): string => (name.length > 64 ? `${name.slice(0, 64)}…` : name);

/** Gathers what is wrong, so that all of it is said at once. */
export class Wrongs {
  readonly errors: Detail[] = [];

  add(at: string, message: string): void {
    if (this.errors.length < 50) this.errors.push({ at: shown(at), message });
  }
}
