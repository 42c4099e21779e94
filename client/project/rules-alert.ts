import type { AlertSettings } from '../../schema/project-alert.ts';
import type { PipelineSettings } from '../../schema/project.ts';
import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import { alertList } from './merge.ts';
import { connectionNamed } from './rules-connection.ts';
import type { ProjectFile } from './schema.ts';

/** What is wrong with alerts: where they go, and what they can't tell of. */
export function alertFindings(project: ProjectFile, alerts: PipelineSettings['alerts'], path: Path): readonly Finding[] {
  return alertList(alerts).flatMap((alert, index) => oneFindings(project, alert, Array.isArray(alerts) ? [...path, index] : path));
}

/** Alerts of a pipeline or sync that tell of lateness without a word on what late means. */
export function lateFindings(
  { alerts, expect_every: expected }: Pick<PipelineSettings, 'alerts' | 'expect_every'>,
  path: Path,
  kind: 'pipeline' | 'sync',
): readonly Finding[] {
  const late = alertList(alerts).findIndex(({ on }) => on?.includes('late') === true);
  if (late < 0 || expected !== undefined) return [];
  const at: Path = Array.isArray(alerts) ? [...path, 'alerts', late] : [...path, 'alerts'];
  return [wrong(at, `tells when the ${kind} is late: expect_every must say what late means.`)];
}

function oneFindings(project: ProjectFile, { to, on, rejected }: AlertSettings, path: Path): readonly Finding[] {
  const connection = connectionNamed(project, to);
  if (connection === undefined) {
    return [wrong(path, `names the connection "${to}", which is not there.${suggestion(to, Object.keys(project.connections))}`)];
  }
  if (connection.type !== 'webhook')
    return [wrong(path, `names "${to}", a ${connection.type} connection; alerts go to a webhook connection.`)];
  if (on?.includes('rejected') === true && rejected === undefined)
    return [wrong(path, 'tells of rejected rows: rejected must say from which share on, as in "> 2%".')];
  return rejected !== undefined && on !== undefined && !on.includes('rejected')
    ? [wrong([...path, 'on'], 'leaves out what "rejected" is for: add rejected to it.')]
    : [];
}
