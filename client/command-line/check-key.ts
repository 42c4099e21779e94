import type { Datasets, KeyCount } from '../../connectors/datasets.ts';
import { isProvenKey, type DatasetShape } from '../../schema/dataset.ts';
import type { ApiDefinition } from '../../schema/gateway-definition.ts';
import { counted } from '../display/text.ts';

export interface Found {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

const nothing: Found = { problems: [], warnings: [] };

/** Whether the key of an API tells its rows apart: proven by an index, or counted. */
export async function keyFindings(api: ApiDefinition, shape: DatasetShape, datasets: Datasets): Promise<Found> {
  const { key, source } = api;
  if (!key.every((name) => shape.columns.some((column) => column.name === name)) || isProvenKey(shape, key)) return nothing;
  try {
    const count = await datasets.countKey(source, key);
    const problems = faults(count, api);
    return problems.length > 0 || source.kind === 'query' ? { problems, warnings: [] } : { problems, warnings: [unproven(count, api)] };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { problems: [], warnings: [`key: whether ${named(key)} is unique could not be counted: ${reason}`] };
  }
}

const named = (key: readonly string[]): string => key.map((name) => `"${name}"`).join(', ');

function faults({ rows, empty, repeated }: KeyCount, { key, source, name }: ApiDefinition): readonly string[] {
  const faulty = [
    ...(empty > 0 ? [`${empty} have no value in ${named(key)}`] : []),
    ...(repeated > 0 ? [`${repeated} share ${named(key)} with another row`] : []),
  ];
  if (faulty.length === 0) return [];
  const where = source.kind === 'query' ? "mend the model's query" : 'mend the rows';
  const remedy = `name columns under apis.${name}.key that tell all rows apart, or ${where}`;
  return [`key: of ${counted(rows, 'row')}, ${faulty.join(' and ')}: pages leave rows out and a row is not found by its key; ${remedy}`];
}

const unproven = ({ rows }: KeyCount, { key }: ApiDefinition): string =>
  `key: ${named(key)} tells all of ${counted(rows, 'row')} apart now, but no primary key makes sure of it; give the table one`;
