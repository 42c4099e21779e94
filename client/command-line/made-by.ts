import type { DatasetSource } from '../../schema/dataset.ts';
import type { ModelDefinition, PipelineDefinition } from '../../schema/definition.ts';

/** What of a project makes tables. */
export interface Makers {
  readonly pipelines: readonly PipelineDefinition[];
  readonly models: readonly ModelDefinition[];
}

/** ` It is made by …`, where a pipeline or model of the project makes the table; empty where none does. */
export function madeBy(warehouse: string, source: DatasetSource, { pipelines, models }: Makers): string {
  if (source.kind !== 'table') return '';
  const { schema, table } = source;
  const model = models.find((one) => one.warehouse.name === warehouse && one.into?.schema === schema && one.into.table === table);
  const loading = pipelines.filter(({ to }) => to.name === warehouse);
  const pipeline = loading.find((one) => one.streams.some(({ stream, into }) => isTarget(into ?? last(stream), one.schema, source)));
  const open = loading.find(
    (one) => one.schema === schema && one.streams.some(({ stream, into }) => into === undefined && isPattern(stream)),
  );
  const maker = model ?? pipeline ?? open;
  return maker === undefined ? '' : `. It is made by the first run of ${maker.name}: millrace run ${maker.name}`;
}

const last = (stream: string): string => stream.slice(stream.lastIndexOf('.') + 1);
const isPattern = (stream: string): boolean => /[*?[{]/.test(stream);

const isTarget = (into: string, schema: string, { schema: wanted, table }: { schema: string; table: string }): boolean =>
  (into.includes('.') ? into : `${schema}.${into}`).toLowerCase() === `${wanted}.${table}`.toLowerCase();
