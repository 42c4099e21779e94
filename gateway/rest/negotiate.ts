import { qualityOf, rangesOf } from '../accept.ts';
import { Problem } from '../problem.ts';

export const mediaTypes = { json: 'application/json', ndjson: 'application/x-ndjson', csv: 'text/csv' } as const;
export type Format = keyof typeof mediaTypes;

/** The format of a list by `format`, or else by the Accept header. Throws 406 when there is none of those asked for. */
export function formatOf(accept: string | undefined, offered: readonly Format[]): Format {
  const [first] = offered;
  if (first === undefined || accept === undefined || accept === '' || accept === '*/*') return first ?? 'json';
  const ranges = rangesOf(accept);
  const [best] = offered
    .map((format) => ({ format, quality: qualityOf(mediaTypes[format], ranges) }))
    .filter(({ quality }) => quality > 0)
    .toSorted((one, other) => other.quality - one.quality);
  if (best !== undefined) return best.format;
  throw new Problem(406, 'Not acceptable', `The answer is of the type ${offered.map((format) => mediaTypes[format]).join(', ')}.`);
}
