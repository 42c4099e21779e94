import type { SourcePlan } from '../connectors/connector.ts';
import type { Column } from '../schema/column.ts';
import { MillraceError } from '../schema/errors.ts';
import type { PipelineDefinition } from '../schema/definition.ts';
import type { Load, StagedFile, StagedFormat } from '../schema/load.ts';
import type { StagedPart } from '../schema/run.ts';
import type { Step } from '../schema/step.ts';
import type { Partition, Stream } from '../schema/stream.ts';
import { stagedName } from '../staging/name.ts';
import type { Staging } from '../staging/staging.ts';

/** The plan of a load, kept in staging beside its files; every later step reads it. Holds secrets as references only. */
export interface PlanFile {
  readonly pipeline: Omit<PipelineDefinition, 'streams'>;
  readonly stream: Stream;
  readonly source: SourcePlan;
  readonly load: Load;
  /** The transform steps that the source didn't take over. */
  readonly steps: readonly Step[];
  /** What extracted files hold. */
  readonly input: readonly Column[];
}

const planFormat: StagedFormat = { kind: 'foreign', dialect: { type: 'json', columns: [] } };

/** The staging folder of a load. */
export const folderOf = (load: Pick<Load, 'project' | 'pipeline' | 'stream' | 'id'>): string =>
  stagedName(load.project, load.pipeline, load.stream, load.id);

async function* once(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text);
}

/** Writes a value as JSON into staging. */
export function writeJson(staging: Staging, name: string, value: unknown, signal: AbortSignal): Promise<StagedFile> {
  return staging.write(name, planFormat, once(JSON.stringify(value)), () => 1, signal);
}

/** Reads what `writeJson` wrote; the checksum is verified. */
async function readJson<T>(staging: Staging, file: StagedFile): Promise<T> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of staging.read(file)) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
}

export const readPlan = (staging: Staging, plan: StagedFile): Promise<PlanFile> => readJson<PlanFile>(staging, plan);

/** The short form of a staged file, for workflows. */
export function toPart(file: StagedFile): StagedPart {
  return { name: file.name.slice(file.name.lastIndexOf('/') + 1), rows: file.rows, bytes: file.bytes, sha256: file.sha256 };
}

/** The staged file that a short form means. */
export function fromPart(plan: StagedFile, part: StagedPart, format: StagedFormat): StagedFile {
  const folder = plan.name.slice(0, plan.name.lastIndexOf('/'));
  return { store: plan.store, name: `${folder}/${part.name}`, format, rows: part.rows, bytes: part.bytes, sha256: part.sha256 };
}

/** The format that files have when they reach the warehouse. */
export function loadFormat(plan: PlanFile, transforms: boolean): StagedFormat {
  if (transforms || plan.source.format === 'csv') return { kind: 'csv' };
  if (plan.source.format === 'pgcopy') return { kind: 'pgcopy' };
  throw new MillraceError('config', `stream ${plan.load.stream}: a file from outside must pass a transform`);
}

/** A partition of the plan by its number. */
export function partitionOf(plan: PlanFile, no: number): Partition {
  const partition = plan.source.partitions.find((candidate) => candidate.no === no);
  if (partition === undefined) throw new MillraceError('staging-lost', `stream ${plan.load.stream}: the plan has no partition ${no}`);
  return partition;
}
