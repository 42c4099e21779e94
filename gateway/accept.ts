/** A type that a caller accepts, or `text/*`, and how much, from 0 to 1. */
export interface AcceptedRange {
  readonly type: string;
  readonly quality: number;
}

const mostRanges = 50;

/** The ranges of an Accept header (RFC 9110 §12.5.1). */
export const rangesOf = (accept: string): readonly AcceptedRange[] => accept.toLowerCase().split(',').slice(0, mostRanges).map(rangeOf);

function rangeOf(text: string): AcceptedRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  const quality = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** How much a type is accepted; the nearest range decides: the type itself before `text/*` before everything. */
export function qualityOf(type: string, ranges: readonly AcceptedRange[]): number {
  const wanted = [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*'];
  for (const name of wanted) {
    const found = ranges.find((range) => range.type === name);
    if (found !== undefined) return found.quality;
  }
  return 0;
}
