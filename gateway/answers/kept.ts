import type { AnswerCall, ChangesFeed } from '../context.ts';
import type { Catalog, PublishedApi } from '../catalog.ts';

/** An answer that is kept. */
export interface KeptAnswer {
  readonly body: string;
  readonly etag: string;
  /** The last change that was heard of before the read began: what was committed up to it is in the answer. */
  readonly position: bigint;
}

/** How the answers to a call are kept: the strictest of all APIs that it reads. */
export interface Keeping {
  /** Milliseconds. */
  readonly ttl: number;
  /** The tables whose commits end it; none: any commit does. Undefined where time alone does. */
  readonly tables: readonly string[] | undefined;
}

/** Undefined when the answer isn't kept. */
export function keepingOf({ apis, reads }: Pick<AnswerCall, 'apis' | 'reads'>, catalog: Catalog): Keeping | undefined {
  let ttl = Infinity;
  let untilLoad = false;
  let isKnown = true;
  for (const name of apis) {
    const api = catalog.api(name);
    const cache = api?.definition.cache;
    if (api === undefined || cache === undefined) return undefined;
    ttl = Math.min(ttl, cache.ttl);
    untilLoad ||= cache.until === 'load';
    isKnown &&= knowsTables(api);
  }
  if (ttl === Infinity) return undefined;
  return { ttl, tables: untilLoad ? (isKnown ? reads : []) : undefined };
}

const knowsTables = ({ shape, relationShapes }: PublishedApi): boolean =>
  [shape, ...relationShapes.values()].every(({ reads }) => reads.length > 0);

/** Whether answers may be given from what is kept, and kept, now. */
export const mayKeep = (keeping: Keeping, feed: ChangesFeed): boolean => keeping.tables === undefined || feed.isLive;

/**
 * Whether a read that began at `position` has all commits that this gateway has heard of. One from another gateway that is ahead of this
 * one can't be judged, and isn't taken.
 */
export function hasAll(keeping: Keeping, feed: ChangesFeed, position: bigint): boolean {
  if (keeping.tables === undefined) return true;
  return position <= feed.position && position >= feed.lastChange(keeping.tables);
}
