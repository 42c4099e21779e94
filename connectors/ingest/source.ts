import { stat } from 'node:fs/promises';
import { z } from 'zod';
import type { Attempt, PlanRequest, ReadRequest, Source, SourcePlan } from '../connector.ts';
import { MillraceError } from '../../schema/errors.ts';
import type { Cursor, Partition, Stream } from '../../schema/stream.ts';
import { readEventSchema } from './event-schema.ts';
import { keyColumnOf, readSegments } from './read-segments.ts';
import { folderId, releaseSegments, sealedNumbers, sealedPath, segmentsAfter } from './segments.ts';
import type { OpenedIngestSettings } from './settings.ts';

const rangeSchema = z.strictObject({ from: z.number().int(), to: z.number().int() });
const cursorSchema = /^([0-9a-f-]{36})\/(\d+)$/;

/** The last number that was committed, of segments in the folder of this id; 0 where the folder is another one, for its numbers began again. */
function committedOf(cursor: Cursor | undefined, id: string): number {
  if (cursor === undefined) return 0;
  const [, folder, no] = cursorSchema.exec(cursor) ?? [];
  if (folder === undefined)
    throw new MillraceError(
      'config',
      'the stored cursor is not one of an ingest connection; give the pipeline a new name, or an empty table',
    );
  return folder === id ? Number(no) : 0;
}

/** Segments side by side, up to so many bytes. */
async function partitionsOf(folder: string, numbers: readonly number[], request: PlanRequest): Promise<readonly Partition[]> {
  const ranges: { from: number; to: number; bytes: number }[] = [];
  for (const no of numbers) {
    const { size } = await stat(sealedPath(folder, no));
    const last = ranges.at(-1);
    if (last !== undefined && last.bytes + size <= request.partitionBytes) {
      last.to = no;
      last.bytes += size;
    } else if (ranges.length === request.maxPartitions) break;
    else ranges.push({ from: no, to: no, bytes: size });
  }
  return ranges.map(({ from, to }, no) => ({
    no,
    label: from === to ? `segment ${from}` : `segments ${from} to ${to}`,
    range: { from, to },
  }));
}

function refuseWindow({ window, stream }: PlanRequest): void {
  if (window === undefined) return;
  throw new MillraceError('config', `stream ${stream.name} has events, which are read once; it has no window to read again`);
}

async function planEvents(name: string, { folder }: OpenedIngestSettings, request: PlanRequest): Promise<SourcePlan> {
  refuseWindow(request);
  const id = folder === undefined ? '' : await folderId(folder).catch(() => '');
  const after = committedOf(request.cursor, id);
  const numbers = folder === undefined ? [] : segmentsAfter(await sealedNumbers(folder), after);
  const partitions = folder === undefined ? [] : await partitionsOf(folder, numbers, request);
  const last = partitions.length === 0 ? undefined : rangeSchema.parse(partitions.at(-1)?.range).to;
  return {
    partitions,
    format: 'csv',
    columns: request.stream.columns,
    stepsTaken: 0,
    nextCursor: last === undefined ? null : `${id}/${last}`,
    complete: false,
    events: true,
    notes: [],
    identity: `ingest:${name}`,
  };
}

function read({ folder, keys }: OpenedIngestSettings, { partition, plan, stream }: ReadRequest, attempt: Attempt) {
  if (folder === undefined) throw new TypeError('segments are read where the worker knows their folder');
  const [key = ''] = stream.key;
  return {
    format: { kind: 'csv' as const },
    pages: readSegments({ folder, keys }, rangeSchema.parse(partition.range), { columns: plan.columns, key }, attempt),
  };
}

/** Events that the gateway has accepted, as source: one stream, called as the connection. */
export async function openSource(settings: OpenedIngestSettings, name: string): Promise<Source> {
  const describe = async (): Promise<Stream> => {
    const { columns } = await readEventSchema(settings.schema, settings.key);
    return { name, columns, key: [keyColumnOf(settings.key)], notes: [] };
  };
  return {
    check: async () => {
      try {
        await describe();
        return { system: `events of ${settings.schema}`, problems: [], warnings: [] };
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error;
        return { system: `events of ${settings.schema}`, problems: [error.message], warnings: [] };
      }
    },
    discover: async (patterns) => {
      const other = patterns?.find((pattern) => !pattern.includes('*') && pattern !== name);
      if (other === undefined) return [await describe()];
      throw new MillraceError('not-found', `connection ${name} has no stream ${other}; its one stream is ${name}`);
    },
    plan: (request) => planEvents(name, settings, request),
    read: async (request, attempt) => read(settings, request, attempt),
    release: async (cursor, pipeline) => {
      const { folder } = settings;
      if (folder !== undefined) await releaseSegments(folder, pipeline, committedOf(cursor, await folderId(folder)));
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
