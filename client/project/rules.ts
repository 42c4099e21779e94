import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import { alertList } from './merge.ts';
import { misplacedReferences, secretFindings } from './references.ts';
import { connectionFindings, connectionNamed } from './rules-connection.ts';
import { modelFindings } from './rules-model.ts';
import { streamFindings } from './rules-stream.ts';
import type { ProjectFile } from './schema.ts';

/** What a file of the right shape still has wrong: names that aren't there, settings that don't go together, secrets. */
export function findingsOf(project: ProjectFile): readonly Finding[] {
  const { connections, ...rest } = project;
  return [
    ...Object.entries(connections).flatMap(([name, settings]) => secretFindings(settings, ['connections', name], name)),
    ...misplacedReferences(rest, []),
    ...sharedNames(project),
    ...alertFindings(project, project.defaults?.alerts, ['defaults', 'alerts']),
    ...Object.keys(project.pipelines ?? {}).flatMap((name) => pipelineFindings(project, name)),
    ...targetsTwice(project),
    ...modelFindings(project),
    ...Object.entries(project.models ?? {}).flatMap(([name, model]) => alertFindings(project, model.alerts, ['models', name, 'alerts'])),
  ];
}

function sharedNames({ pipelines, models }: ProjectFile): readonly Finding[] {
  return Object.keys(models ?? {})
    .filter((name) => pipelines !== undefined && Object.hasOwn(pipelines, name))
    .map((name) => wrong(['models', name], 'is the name of a pipeline too; pipelines and models share their names.', 'name'));
}

function pipelineFindings(project: ProjectFile, name: string): readonly Finding[] {
  const pipeline = project.pipelines?.[name];
  if (pipeline === undefined) return [];
  const path: Path = ['pipelines', name];
  const timeout = pipeline.expect_every;
  const late = alertList(pipeline.alerts).findIndex(({ on }) => on?.includes('late') === true);
  return [
    ...connectionFindings(project, pipeline.from, [...path, 'from'], 'source'),
    ...connectionFindings(project, pipeline.to.split('.')[0] ?? '', [...path, 'to'], 'warehouse'),
    ...alertFindings(project, pipeline.alerts, [...path, 'alerts']),
    ...(late >= 0 && timeout === undefined && project.defaults?.expect_every === undefined
      ? [wrong([...path, 'alerts', late], 'tells when the pipeline is late: expect_every must say what late means.')]
      : []),
    ...Object.entries(pipeline.streams).flatMap(([stream, settings]) =>
      streamFindings({ project, pipeline, stream, settings, path: [...path, 'streams', stream] }),
    ),
  ];
}

function alertFindings(project: ProjectFile, alerts: Parameters<typeof alertList>[0], path: Path): readonly Finding[] {
  return alertList(alerts).flatMap(({ to, on, rejected_share: share }, index) => {
    const at: Path = typeof alerts === 'string' ? path : [...path, index];
    const connection = connectionNamed(project, to);
    if (connection === undefined) {
      return [wrong(at, `names the connection "${to}", which is not there.${suggestion(to, Object.keys(project.connections))}`)];
    }
    if (connection.type !== 'webhook')
      return [wrong(at, `names "${to}", a ${connection.type} connection; alerts go to a webhook connection.`)];
    return on?.includes('rejected') === true && share === undefined
      ? [wrong(at, 'tells of rejected rows: rejected_share must say from which share on.')]
      : [];
  });
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
