import { defineStream } from '../kits/stream-definition.ts';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Attempt, PlanRequest, Source, SourcePlan } from '../../connectors/connector.ts';
import { openSource } from '../../connectors/files/source.ts';
import type { StreamDefinition } from '../../schema/definition.ts';
import type { FileDialect } from '../../schema/load.ts';
import type { Partition } from '../../schema/stream.ts';

export const attempt: Attempt = { signal: new AbortController().signal, name: 'millrace:test:files:0', beat: () => undefined };

/** A folder with a files source over it. */
export interface FilesFolder extends AsyncDisposable {
  readonly path: string;
  readonly source: Source;
  put(name: string, content: string | Uint8Array): Promise<void>;
  plan(pattern: string, definition?: Partial<StreamDefinition>, request?: Partial<PlanRequest>): Promise<SourcePlan>;
  read(plan: SourcePlan, pattern: string, partition: Partition): Promise<Buffer>;
}

const definitionOf = (stream: string, definition: Partial<StreamDefinition> = {}): StreamDefinition =>
  defineStream({ stream, ...definition });

export async function makeFolder(): Promise<FilesFolder> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-files-'));
  return openFolder(path, () => rm(path, { recursive: true, force: true }));
}

export async function openFolder(path: string, close: () => Promise<void> = async () => undefined): Promise<FilesFolder> {
  const source = await openSource({ type: 'files', path });
  const streamOf = (name: string) => ({ name, columns: [], key: [], notes: [] });
  return {
    path,
    source,
    put: async (name, content) => {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), content);
    },
    plan: (pattern, definition, request) =>
      source.plan(
        {
          definition: definitionOf(pattern, definition),
          stream: streamOf(pattern),
          cursor: undefined,
          window: undefined,
          steps: [],
          formats: ['csv', 'foreign'],
          partitionBytes: 1_000_000,
          maxPartitions: 256,
          ...request,
        },
        attempt,
      ),
    read: async (plan, pattern, partition) => {
      const { pages } = await source.read(
        { definition: definitionOf(pattern), stream: streamOf(pattern), plan, steps: [], partition },
        attempt,
      );
      const chunks: Uint8Array[] = [];
      for await (const page of pages) chunks.push(page.bytes);
      return Buffer.concat(chunks);
    },
    [Symbol.asyncDispose]: async () => {
      await source[Symbol.asyncDispose]();
      await close();
    },
  };
}

export function csvDialect(partition: Partition | undefined): Extract<FileDialect, { type: 'csv' }> {
  if (partition?.format?.kind !== 'foreign' || partition.format.dialect.type !== 'csv') throw new TypeError('not a CSV partition');
  return partition.format.dialect;
}
