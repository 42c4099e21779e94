import { LRUCache } from 'lru-cache';
import type { KeptAnswer } from './kept.ts';

/** Answers kept in this process, the least used given up first. */
export interface Memory {
  get(key: string): KeptAnswer | undefined;
  set(key: string, answer: KeptAnswer, ttl: number): void;
  clear(): void;
  readonly bytes: number;
  readonly size: number;
}

/** What an entry takes beside its texts, about. */
const overhead = 400;

export function createMemory(bytes: number): Memory {
  const kept = new LRUCache<string, KeptAnswer>({
    maxSize: bytes,
    // Else the clock is read, and a timer set, each millisecond.
    ttlResolution: 10,
    // One answer must not push out all others.
    maxEntrySize: Math.ceil(bytes / 8),
    sizeCalculation: ({ body }, key) => (body.length + key.length) * 2 + overhead,
  });
  return {
    get: (key) => kept.get(key),
    set: (key, answer, ttl) => void kept.set(key, answer, { ttl }),
    clear: () => kept.clear(),
    get bytes() {
      return kept.calculatedSize;
    },
    get size() {
      return kept.size;
    },
  };
}
