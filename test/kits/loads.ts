import { defineStream } from './stream-definition.ts';
import { createHash, randomUUID } from 'node:crypto';
import type { Attempt, Warehouse } from '../../connectors/connector.ts';
import type { Column } from '../../schema/column.ts';
import type { StreamDefinition } from '../../schema/definition.ts';
import type { Committed, Load, Manifest, Prepared, StagedFile, StagedFormat } from '../../schema/load.ts';
import { rejectionColumns } from '../../schema/load.ts';

export type Value = string | null;

/** A staged file with its bytes, without a store. */
export interface TestFile {
  readonly file: StagedFile;
  readonly bytes: Buffer;
}

export function attempt(name = 'test', signal: AbortSignal = new AbortController().signal, beat: () => void = () => undefined): Attempt {
  return { signal, name: `millrace:${name}`, beat };
}

function definition(given: Partial<StreamDefinition> = {}): StreamDefinition {
  return defineStream({ stream: 'public.orders', mode: 'merge', key: ['id'], maxDeleted: 0.1, ...given });
}

export const orderColumns: readonly Column[] = [
  { name: 'id', type: 'bigint' },
  { name: 'status', type: 'text' },
  { name: 'updated_at', type: 'timestamptz' },
];

/** A load of `public.orders` into `shop.orders`; the stream's definition is part of it. */
export function makeLoad(given: Partial<Omit<Load, 'definition'>> & { readonly definition?: Partial<StreamDefinition> } = {}): Load {
  const { definition: stream, ...load } = given;
  const full = definition(stream);
  const target = load.target ?? { schema: 'shop', table: 'orders' };
  return {
    id: randomUUID(),
    project: 'test',
    pipeline: 'shop',
    stream: 'public.orders',
    target,
    columns: orderColumns,
    expectedVersion: 0,
    generation: 0,
    cursor: null,
    complete: false,
    fingerprint: {
      source: 'source-1',
      stream: load.stream ?? 'public.orders',
      cursor: full.cursor ?? null,
      key: full.key,
      mode: full.mode,
      target: `${target.schema}.${target.table}`,
      transform: 'none',
    },
    workflowId: 'workflow',
    runId: 'run',
    ...load,
    definition: full,
  };
}

/** The one CSV of Millrace. */
export function csv(rows: readonly (readonly Value[])[]): TestFile {
  const text = rows.map((row) => `${row.map((value) => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',')}\n`).join('');
  return testFile(Buffer.from(text), rows.length, { kind: 'csv' });
}

export function testFile(bytes: Buffer, rows: number, format: StagedFormat): TestFile {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { bytes, file: { store: 'test', name: `test/${sha256.slice(0, 8)}`, format, rows, bytes: bytes.byteLength, sha256 } };
}

export async function* chunks(bytes: Buffer, size = 1 << 16): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

export type RejectionRow = Readonly<Partial<Record<(typeof rejectionColumns)[number], string>>>;

export function rejectionFile(rows: readonly RejectionRow[]): TestFile {
  return csv(rows.map((row) => rejectionColumns.map((column) => row[column] ?? null)));
}

export function manifestOf(files: readonly TestFile[], rejections: readonly RejectionRow[] = []): Manifest {
  return {
    files: files.map(({ file }, no) => ({ no, rows: file.rows, sha256: file.sha256 })),
    rejections: [],
    read: files.reduce((sum, { file }) => sum + file.rows, 0) + rejections.length,
    rejected: rejections.length,
    filtered: 0,
    duplicates: 0,
  };
}

export async function loadFiles(warehouse: Warehouse, load: Load, prepared: Prepared, files: readonly TestFile[]): Promise<void> {
  for (const [no, { file, bytes }] of files.entries()) {
    await warehouse.load(load, prepared, file, no, chunks(bytes), attempt(`${load.id}:load:${no}`));
  }
}

export async function commitFiles(
  warehouse: Warehouse,
  load: Load,
  prepared: Prepared,
  files: readonly TestFile[],
  rejections: readonly RejectionRow[] = [],
): Promise<Committed> {
  const bytes = chunks(rejectionFile(rejections).bytes);
  return await warehouse.commit(load, prepared, manifestOf(files, rejections), bytes, attempt(`${load.id}:commit:0`));
}

/** Prepares, loads and commits, as a run does; files are loaded again once when the warehouse asks for it. */
export async function deliver(
  warehouse: Warehouse,
  load: Load,
  files: readonly TestFile[],
  rejections: readonly RejectionRow[] = [],
): Promise<Committed> {
  const prepared = await warehouse.prepare(load, attempt(`${load.id}:prepare:0`));
  await loadFiles(warehouse, load, prepared, files);
  try {
    return await commitFiles(warehouse, load, prepared, files, rejections);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'staging-lost')) throw error;
    await loadFiles(warehouse, load, prepared, files);
    return await commitFiles(warehouse, load, prepared, files, rejections);
  }
}
