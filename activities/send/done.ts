/** Numbers of a plan that are done with, and the first that isn't. */
export interface Done {
  add(no: number): void;
  has(no: number): boolean;
  /** The first number that isn't done. */
  position(): number;
}

/** One bit for each number from `from` to `last`. */
export function trackDone(from: number, last: number): Done {
  const bits = new Uint8Array(Math.max(0, last - from + 1) / 8 + 1);
  const has = (no: number): boolean => no < from || ((bits[(no - from) >> 3] ?? 0) & (1 << ((no - from) & 7))) !== 0;
  let position = from;
  return {
    add(no) {
      if (no < from || no > last) return;
      const at = (no - from) >> 3;
      bits[at] = (bits[at] ?? 0) | (1 << ((no - from) & 7));
    },
    has,
    position() {
      while (position <= last && has(position)) position += 1;
      return position;
    },
  };
}

type Ranges = readonly (readonly [number, number])[];

/** Numbers as ranges, both ends inclusive; a gap between two of them is bridged where all of its numbers may be in a range. */
export function rangesOf(nos: readonly number[], mayBeIn: (no: number) => boolean): Ranges {
  const ranges: [number, number][] = [];
  const isBridged = (from: number, to: number): boolean => {
    for (let no = from + 1; no < to; no += 1) if (!mayBeIn(no)) return false;
    return true;
  };
  for (const no of nos.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && isBridged(last[1], no)) last[1] = no;
    else ranges.push([no, no]);
  }
  return ranges;
}

export const isIn = (ranges: Ranges, no: number): boolean => ranges.some(([first, last]) => no >= first && no <= last);
