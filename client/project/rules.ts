import { wrong, type Finding, type Path } from './finding.ts';
import { misplacedReferences, secretFindings } from './references.ts';
import { alertFindings, lateFindings } from './rules-alert.ts';
import { apiFindings } from './rules-api.ts';
import { connectionFindings } from './rules-connection.ts';
import { gatewayFindings, isGatewaySecret } from './rules-gateway.ts';
import { modelFindings } from './rules-model.ts';
import { misplacedClaims } from './rules-row.ts';
import { streamFindings } from './rules-stream.ts';
import { syncFindings } from './rules-sync.ts';
import type { ProjectFile } from './schema.ts';

/** What a file of the right shape still has wrong: names that aren't there, settings that don't go together, secrets. */
export function findingsOf(project: ProjectFile): readonly Finding[] {
  const { connections, ...rest } = project;
  return [
    ...Object.entries(connections).flatMap(([name, settings]) => secretFindings(settings, ['connections', name], name)),
    ...misplacedReferences(rest, []).filter(({ path }) => !isGatewaySecret(path)),
    ...misplacedClaims(rest, []),
    ...sharedNames(project),
    ...alertFindings(project, project.defaults?.alerts, ['defaults', 'alerts']),
    ...Object.keys(project.pipelines ?? {}).flatMap((name) => pipelineFindings(project, name)),
    ...targetsTwice(project),
    ...modelFindings(project),
    ...Object.entries(project.models ?? {}).flatMap(([name, model]) => alertFindings(project, model.alerts, ['models', name, 'alerts'])),
    ...syncFindings(project),
    ...apiFindings(project),
    ...gatewayFindings(project),
  ];
}

function sharedNames({ pipelines = {}, models = {}, syncs = {} }: ProjectFile): readonly Finding[] {
  const taken = (name: string, kind: 'models' | 'syncs', other: string): Finding =>
    wrong([kind, name], `is the name of a ${other} too; pipelines, models and syncs share their names.`, 'name');
  const ofPipelines = (names: object, kind: 'models' | 'syncs'): readonly Finding[] =>
    Object.keys(names).flatMap((name) => (Object.hasOwn(pipelines, name) ? [taken(name, kind, 'pipeline')] : []));
  return [
    ...ofPipelines(models, 'models'),
    ...ofPipelines(syncs, 'syncs'),
    ...Object.keys(syncs).flatMap((name) => (Object.hasOwn(models, name) ? [taken(name, 'syncs', 'model')] : [])),
  ];
}

function pipelineFindings(project: ProjectFile, name: string): readonly Finding[] {
  const pipeline = project.pipelines?.[name];
  if (pipeline === undefined) return [];
  const path: Path = ['pipelines', name];
  const { alerts, expect_every: expected = project.defaults?.expect_every } = pipeline;
  return [
    ...connectionFindings(project, pipeline.from, [...path, 'from'], 'source'),
    ...connectionFindings(project, pipeline.to.split('.')[0] ?? '', [...path, 'to'], 'warehouse'),
    ...alertFindings(project, pipeline.alerts, [...path, 'alerts']),
    ...lateFindings({ alerts, expect_every: expected }, path, 'pipeline'),
    ...Object.entries(pipeline.streams).flatMap(([stream, settings]) =>
      streamFindings({ project, pipeline, stream, settings, path: [...path, 'streams', stream] }),
    ),
  ];
}

function targetsTwice({ pipelines }: ProjectFile): readonly Finding[] {
  const seen = new Map<string, string>();
  const findings: Finding[] = [];
  for (const [name, pipeline] of Object.entries(pipelines ?? {})) {
    for (const [stream, { into }] of Object.entries(pipeline.streams)) {
      if (into === undefined) continue;
      const target = `${pipeline.to}.${into}`;
      const first = seen.get(target);
      const path: Path = ['pipelines', name, 'streams', stream, 'into'];
      if (first !== undefined) findings.push(wrong(path, `is loaded by ${first} already: one stream, one table.`));
      seen.set(target, `the stream ${JSON.stringify(stream)} of ${name}`);
    }
  }
  return findings;
}
