import { createHash } from 'node:crypto';

const longestPart = 120;

/**
 * The name of a staged file from its parts (`project, pipeline, stream, load id, file`). Each part becomes one safe path segment:
 * different parts stay different, also where a file system ignores case; `..`, `/` and hidden names can't occur.
 */
export function stagedName(...parts: readonly string[]): string {
  return parts.map(safePart).join('/');
}

function safePart(part: string): string {
  if (/^[a-z0-9_-][a-z0-9._-]*$/.test(part) && part.length <= longestPart) return part;
  const readable = part.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replace(/^\.+/, '');
  const digest = createHash('sha256').update(part).digest('hex').slice(0, 12);
  return `${readable.slice(0, longestPart - 13)}~${digest}`;
}

/** True for relative names of visible segments that `stagedName` could have made. */
export function isStagedName(name: string): boolean {
  return name.split('/').every((part) => /^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$/.test(part));
}
