import { Problem } from '../problem.ts';

export const mediaTypes = { json: 'application/json', ndjson: 'application/x-ndjson', csv: 'text/csv' } as const;
export type Format = keyof typeof mediaTypes;

/** The format of a list by `format`, or else by the Accept header. Throws 406 when there is none of those asked for. */
export function formatOf(accept: string | undefined, offered: readonly Format[]): Format {
  const [first] = offered;
  if (first === undefined || accept === undefined || accept === '' || accept === '*/*') return first ?? 'json';
  const ranges = accept.toLowerCase().split(',').slice(0, 50).map(rangeOf);
  const [best] = offered
    .map((format) => ({ format, quality: qualityOf(mediaTypes[format], ranges) }))
    .filter(({ quality }) => quality > 0)
    .toSorted((one, other) => other.quality - one.quality);
  if (best !== undefined) return best.format;
  throw new Problem(406, 'Not acceptable', `The answer is of the type ${offered.map((format) => mediaTypes[format]).join(', ')}.`);
}

interface Range {
  readonly type: string;
  readonly quality: number;
}

function rangeOf(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  const given = parameters.find((part) => part.startsWith('q='))?.slice(2);
  const quality = given === undefined ? 1 : Number(given);
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** The nearest range decides: the type itself before `text/*` before everything. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  const wanted = [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*'];
  for (const name of wanted) {
    const found = ranges.find((range) => range.type === name);
    if (found !== undefined) return found.quality;
  }
  return 0;
}

/** Whether If-None-Match names an entity tag, compared weakly (RFC 9110 §13.1.2). */
export function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}
