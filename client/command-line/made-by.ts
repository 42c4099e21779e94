import type { DatasetSource } from '../../schema/dataset.ts';
import type { ModelDefinition, PipelineDefinition } from '../../schema/definition.ts';
import { targetTable } from '../../schema/target.ts';
import { suggestion } from '../project/finding.ts';

/** What of a project makes tables. */
export interface Makers {
  readonly pipelines: readonly PipelineDefinition[];
  readonly models: readonly ModelDefinition[];
}

/** `. It is made by …`, where a pipeline or model of the project makes the table; else the nearest that one makes, or nothing. */
export function madeBy(warehouse: string, source: DatasetSource, { pipelines, models }: Makers): string {
  if (source.kind !== 'table') return '';
  const { schema, table } = source;
  const model = models.find((one) => one.warehouse.name === warehouse && one.into?.schema === schema && one.into.table === table);
  const loading = pipelines.filter(({ to }) => to.name === warehouse);
  const pipeline = loading.find((one) => one.streams.some(({ stream, into }) => isTarget(into ?? targetTable(stream), one.schema, source)));
  const open = loading.find(
    (one) =>
      one.schema === schema &&
      one.from.type !== 'files' &&
      one.streams.some(({ stream, into }) => into === undefined && stream.includes('*')),
  );
  const maker = model ?? pipeline ?? open;
  return maker === undefined
    ? nearest(`${schema}.${table}`, made(loading, models, warehouse))
    : `. It is made by the first run of ${maker.name}: millrace run ${maker.name}`;
}

const made = (loading: readonly PipelineDefinition[], models: readonly ModelDefinition[], warehouse: string): readonly string[] => [
  ...loading.flatMap(({ schema, streams }) => streams.map(({ stream, into }) => `${schema}.${into ?? targetTable(stream)}`)),
  ...models.flatMap(({ into, warehouse: { name } }) => (into === undefined || name !== warehouse ? [] : [`${into.schema}.${into.table}`])),
];

function nearest(name: string, known: readonly string[]): string {
  const hint = suggestion(name, known);
  return hint.startsWith(' Did') ? `.${hint}` : '';
}

const isTarget = (into: string, schema: string, { schema: wanted, table }: { schema: string; table: string }): boolean =>
  (into.includes('.') ? into : `${schema}.${into}`).toLowerCase() === `${wanted}.${table}`.toLowerCase();
