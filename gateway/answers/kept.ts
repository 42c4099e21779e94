import type { AnswerCall, ChangesFeed } from '../context.ts';
import type { Catalog, PublishedApi } from '../catalog.ts';

/** An answer that is kept. */
export interface KeptAnswer {
  readonly body: string;
  readonly etag: string;
  readonly link: string | undefined;
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
export function keepingOf(call: Pick<AnswerCall, 'apis' | 'reads'>, catalog: Catalog): Keeping | undefined {
  let ttl = Infinity;
  let untilLoad = false;
  for (const name of call.apis) {
    const api = catalog.api(name);
    const cache = api?.definition.cache;
    if (api === undefined || cache === undefined) return undefined;
    ttl = Math.min(ttl, cache.ttl);
    untilLoad ||= cache.until === 'load';
  }
  if (ttl === Infinity) return undefined;
  return { ttl, tables: untilLoad ? tablesOf(call, catalog) : undefined };
}

/** The tables whose commits change the answers to a call; none: any commit may. */
export function tablesOf({ apis, reads }: Pick<AnswerCall, 'apis' | 'reads'>, catalog: Catalog): readonly string[] {
  for (const name of apis) {
    const api = catalog.api(name);
    if (api === undefined || !knowsTables(api)) return [];
  }
  return reads;
}

function knowsTables({ shape, relationShapes }: PublishedApi): boolean {
  if (shape.reads.length === 0) return false;
  for (const { reads } of relationShapes.values()) if (reads.length === 0) return false;
  return true;
}

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
