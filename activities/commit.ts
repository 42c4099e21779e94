import { MillraceError } from '../schema/errors.ts';
import type { Committed, Load, Manifest, Prepared, StagedFile } from '../schema/load.ts';
import type { PartitionResult } from '../schema/run.ts';
import type { Staging } from '../staging/staging.ts';
import { currentAttempt } from './attempt.ts';
import type { Dependencies } from './dependencies.ts';
import { fromPart, readPlan } from './plan-file.ts';

export interface CommitInput {
  readonly plan: StagedFile;
  readonly prepared: Prepared;
  readonly partitions: readonly PartitionResult[];
}

const sum = (partitions: readonly PartitionResult[], count: 'read' | 'rejected' | 'filtered' | 'duplicates'): number =>
  partitions.reduce((total, partition) => total + partition[count], 0);

/** The rejection files of a load, one after the other. */
export async function* rejectionBytes(staging: Staging, files: readonly StagedFile[]): AsyncIterable<Uint8Array> {
  for (const file of files) yield* staging.read(file);
}

export function rejectionFiles(plan: StagedFile, partitions: readonly PartitionResult[]): readonly StagedFile[] {
  return partitions.flatMap((partition) =>
    partition.rejections === undefined ? [] : [fromPart(plan, partition.rejections, { kind: 'csv' })],
  );
}

/** Fails a load that refused more rows than its stream allows. */
function checkThreshold(load: Load, manifest: Manifest): void {
  const { maxRejected } = load.definition;
  const allowed = 'rows' in maxRejected ? maxRejected.rows : maxRejected.share * manifest.read;
  if (manifest.rejected <= allowed) return;
  const limit = 'rows' in maxRejected ? `${maxRejected.rows} rows` : `${maxRejected.share * 100}%`;
  throw new MillraceError(
    'rejected',
    `pipeline ${load.pipeline}, stream ${load.stream}: ${manifest.rejected} of ${manifest.read} rows were rejected, more than max_rejected (${limit}) allows; nothing was loaded. See them with: millrace rejections ${load.pipeline}`,
  );
}

/** Delivers the load: rows, cursor, rejections and books in one transaction. */
export const createCommit = (deps: Dependencies) =>
  async function commit(input: CommitInput): Promise<Committed> {
    const plan = await readPlan(deps.staging, input.plan);
    const rejections = rejectionFiles(input.plan, input.partitions);
    const manifest: Manifest = {
      files: input.partitions.map(({ no, file }) => ({ no, rows: file.rows, sha256: file.sha256 })),
      rejections,
      read: sum(input.partitions, 'read'),
      rejected: sum(input.partitions, 'rejected'),
      filtered: sum(input.partitions, 'filtered'),
      duplicates: sum(input.partitions, 'duplicates'),
    };
    checkThreshold(plan.load, manifest);
    await using warehouse = await deps.openWarehouse(plan.pipeline.to);
    return await warehouse.commit(
      plan.load,
      input.prepared,
      manifest,
      rejectionBytes(deps.staging, rejections),
      currentAttempt(plan.load.id, 'commit'),
    );
  };
