import { stat } from 'node:fs/promises';
import { committedNumber, sealedNumbers, sealedPath } from '../../connectors/ingest/segments.ts';
import type { IngestPending } from '../../schema/ingest.ts';

/** What of a folder some pipeline hasn't loaded yet, looked up now and then. */
export class PendingSegments {
  readonly #folder: string;
  readonly #pipelines: readonly string[];
  readonly #sizes = new Map<number, number>();
  #pending: IngestPending = { segments: 0, bytes: 0 };

  constructor(folder: string, pipelines: readonly string[]) {
    this.#folder = folder;
    this.#pipelines = pipelines;
  }

  get pending(): IngestPending {
    return this.#pending;
  }

  /** Counts a segment that was just sealed. */
  add(no: number, bytes: number): void {
    this.#sizes.set(no, bytes);
    this.#pending = { segments: this.#pending.segments + 1, bytes: this.#pending.bytes + bytes };
  }

  /** Looks at the folder. */
  async look(): Promise<IngestPending> {
    const committed = await Promise.all(this.#pipelines.map((pipeline) => committedNumber(this.#folder, pipeline)));
    const done = committed.length === 0 ? 0 : Math.min(...committed);
    const waiting = (await sealedNumbers(this.#folder)).filter((no) => no > done);
    for (const no of this.#sizes.keys()) if (no <= done) this.#sizes.delete(no);
    let bytes = 0;
    for (const no of waiting) bytes += await this.#sizeOf(no);
    this.#pending = { segments: waiting.length, bytes };
    return this.#pending;
  }

  async #sizeOf(no: number): Promise<number> {
    const known = this.#sizes.get(no);
    if (known !== undefined) return known;
    const size = await stat(sealedPath(this.#folder, no)).then(
      (found) => found.size,
      () => 0,
    );
    this.#sizes.set(no, size);
    return size;
  }
}
