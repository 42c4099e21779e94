import type { Staging } from './staging.ts';

/** A writer touches its file all the time; one left alone for this long has no writer any more. */
const orphanAge = 24 * 60 * 60 * 1000;

export interface CleanUp {
  /** Folder of a stream's loads: `stagedName(project, pipeline, stream)`. */
  readonly folder: string;
  /** How many loads stay, the running one among them. */
  readonly keep: number;
  /** Folder name of the load that is running or has just ended; it always counts as the latest. */
  readonly running: string;
}

/** Removes all but the last loads of a stream, and what killed writers left in the store. May run at any time, and again. */
export async function cleanUp(staging: Staging, { folder, keep, running }: CleanUp): Promise<void> {
  const ended = (await staging.list(folder)).filter((load) => load !== running);
  const kept = Math.max(keep - 1, 0);
  for (const load of ended.slice(0, Math.max(ended.length - kept, 0))) await staging.remove(`${folder}/${load}`);
  await staging.sweep(orphanAge);
}
