import type { GatewaySettings } from '../../schema/project-gateway.ts';
import type { PipelineSettings } from '../../schema/project.ts';
import { targetTable } from '../../schema/target.ts';
import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import { connectionNamed } from './rules-connection.ts';
import type { ProjectFile } from './schema.ts';

/** What is wrong with the webhooks that tell of commits: whom they tell, and of what. */
export function webhookFindings(project: ProjectFile, { webhooks = {} }: GatewaySettings): readonly Finding[] {
  const known = knownDatasets(project);
  return Object.entries(webhooks).flatMap(([name, { to, datasets }]) => {
    const path: Path = ['gateway', 'webhooks', name];
    return [
      ...receiverFindings(project, to, [...path, 'to']),
      ...datasets.flatMap((dataset, index) => datasetFindings(dataset, known, [...path, 'datasets', index])),
    ];
  });
}

function receiverFindings(project: ProjectFile, to: string, path: Path): readonly Finding[] {
  const connection = connectionNamed(project, to);
  if (connection === undefined) {
    return [wrong(path, `names the connection "${to}", which is not there.${suggestion(to, Object.keys(project.connections))}`)];
  }
  if (connection.type !== 'webhook')
    return [wrong(path, `names "${to}", a ${connection.type} connection; commits are told to a webhook connection.`)];
  if (connection.secret !== undefined) return [];
  return [wrong(path, `names "${to}", which has no "secret": give it one by reference, so that who is told can tell who tells.`)];
}

interface Known {
  /** `schema.table` of what the project loads, builds or publishes. */
  readonly tables: readonly string[];
  /** Schemas that a pattern of streams fills with tables of any name. */
  readonly open: ReadonlySet<string>;
}

function knownDatasets(project: ProjectFile): Known {
  const loaded = Object.values(project.pipelines ?? {}).map((pipeline) => targetsOf(project, pipeline));
  const built = Object.values(project.models ?? {}).flatMap(({ into }) => into ?? []);
  const published = Object.values(project.apis ?? {}).flatMap(({ dataset, relations = {} }) => [
    ...(dataset === undefined ? [] : [dataset]),
    ...Object.values(relations).flatMap((relation) => relation.dataset ?? []),
  ]);
  return {
    tables: [...new Set([...loaded.flatMap(({ tables }) => tables), ...built, ...published])],
    open: new Set(loaded.flatMap(({ open }) => open)),
  };
}

function targetsOf(project: ProjectFile, { from, to, streams }: PipelineSettings) {
  const schema = to.split('.')[1] ?? '';
  const isFiles = connectionNamed(project, from)?.type === 'files';
  const open = Object.entries(streams).some(([name, { into }]) => into === undefined && !isFiles && name.includes('*'));
  return {
    tables: Object.entries(streams).map(([name, { into }]) => `${schema}.${into ?? targetTable(name)}`),
    open: open ? [schema] : [],
  };
}

function datasetFindings(dataset: string, { tables, open }: Known, path: Path): readonly Finding[] {
  const [schema = '', table = ''] = dataset.split('.');
  if (open.has(schema)) return [];
  if (table !== '*') {
    if (tables.includes(dataset)) return [];
    return [
      wrong(
        path,
        `is "${dataset}", which the project neither loads, builds nor publishes: no commit is told.${suggestion(dataset, tables)}`,
      ),
    ];
  }
  const schemas = [...new Set([...open, ...tables.map((name) => name.split('.')[0] ?? '')])];
  if (schemas.includes(schema)) return [];
  const known = schemas.map((name) => `${name}.*`);
  return [
    wrong(path, `is "${dataset}", but the project has nothing in the schema ${schema}: no commit is told.${suggestion(dataset, known)}`),
  ];
}
