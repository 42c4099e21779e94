import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEventLine } from '../../connectors/ingest/event-line.ts';
import { sealedNumbers, sealedPath } from '../../connectors/ingest/segments.ts';

/** Ids of all events in sealed and open segments; `torn` for lines that are cut off. */
export async function storedIds(folder: string): Promise<readonly string[]> {
  const files = [
    ...(await sealedNumbers(folder)).map((no) => sealedPath(folder, no)),
    ...(await readdir(join(folder, 'open'))).map((name) => join(folder, 'open', name)),
  ];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return texts.flatMap((text) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => parseEventLine(line)?.id ?? 'torn'),
  );
}
