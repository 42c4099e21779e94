/** Finds values in texts that are known to be valid JSON, so that each is kept as it was written. */

const quote = 34;
const backslash = 92;

/** The end of the string that begins at `start`. */
export function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === backslash) escapes += 1;
    if (escapes % 2 === 0) return at + 1;
  }
  return text.length;
}

function nestedEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) at = stringEnd(text, at) - 1;
    else if (code === 123 || code === 91) depth += 1;
    else if (code === 125 || code === 93) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

const between = /[\s,:]*/y;
const scalar = /[^\s,}\]]+/y;

function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}

function valueEnd(text: string, start: number): number {
  const code = text.charCodeAt(start);
  if (code === quote) return stringEnd(text, start);
  return code === 123 || code === 91 ? nestedEnd(text, start) : skip(scalar, text, start);
}

/** The members of an object, each value as it is written; of a name that stands twice, the last. */
export function membersOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let at = skip(between, text, text.indexOf('{') + 1);
  while (text[at] === '"') {
    const keyEnd = stringEnd(text, at);
    const key = String(JSON.parse(text.slice(at, keyEnd)));
    const start = skip(between, text, keyEnd);
    const end = valueEnd(text, start);
    found.set(key, text.slice(start, end));
    at = skip(between, text, end);
  }
  return found;
}

/** The elements of an array, each as it is written. */
export function elementsOf(text: string): readonly string[] {
  const found: string[] = [];
  let at = skip(between, text, text.indexOf('[') + 1);
  while (at < text.length && text[at] !== ']') {
    const end = valueEnd(text, at);
    found.push(text.slice(at, end));
    at = skip(between, text, end);
  }
  return found;
}

/** The same value in one line: line breaks can only stand between its parts. */
export const inOneLine = (text: string): string => (/[\r\n]/.test(text) ? text.replaceAll(/[\r\n]/g, ' ') : text);
