import type { ModelSettings } from '../../schema/project.ts';
import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import { connectionFindings } from './rules-connection.ts';
import type { ProjectFile } from './schema.ts';

/** What is wrong with the models: where they run, what they wait for, where they are built. */
export function modelFindings(project: ProjectFile): readonly Finding[] {
  return Object.entries(project.models ?? {}).flatMap(([name, model]) => {
    const path: Path = ['models', name];
    return [...warehouseFindings(project, model, path), ...targetFindings(model, path), ...afterFindings(project, name, model, path)];
  });
}

/** The connection that a model or API is in: its own, or the one that all pipelines load, or the only one that could be. */
export function warehouseOf(project: ProjectFile, model: Pick<ModelSettings, 'warehouse'>): string | undefined {
  if (model.warehouse !== undefined) return model.warehouse;
  const loaded = new Set(Object.values(project.pipelines ?? {}).map(({ to }) => to.split('.')[0]));
  const candidates =
    loaded.size > 0 ? [...loaded] : Object.keys(project.connections).filter((name) => project.connections[name]?.type === 'postgres');
  return candidates.length === 1 ? candidates[0] : undefined;
}

function warehouseFindings(project: ProjectFile, model: ModelSettings, path: Path): readonly Finding[] {
  if (model.warehouse !== undefined) return connectionFindings(project, model.warehouse, [...path, 'warehouse'], 'warehouse');
  return warehouseOf(project, model) === undefined
    ? [wrong(path, 'needs "warehouse": there is not just one connection it could run in.')]
    : [];
}

function targetFindings({ build = 'none', into }: ModelSettings, path: Path): readonly Finding[] {
  if (build !== 'none' && into === undefined)
    return [wrong(path, `needs "into": where the ${build} is built, as in "finance.reconciliation".`)];
  if (build === 'none' && into !== undefined) return [wrong([...path, 'into'], 'needs "build: view" or "build: table".')];
  return [];
}

function afterFindings(project: ProjectFile, name: string, model: ModelSettings, path: Path): readonly Finding[] {
  const known = [...Object.keys(project.pipelines ?? {}), ...Object.keys(project.models ?? {})];
  const missing = (model.after ?? []).flatMap((other, index) =>
    known.includes(other)
      ? []
      : [wrong([...path, 'after', index], `names "${other}", which is no pipeline or model.${suggestion(other, known)}`)],
  );
  return waitsForItself(project, name) ? [...missing, wrong([...path, 'after'], 'comes back to the model itself.')] : missing;
}

function waitsForItself(project: ProjectFile, name: string): boolean {
  const reached = new Set<string>();
  const open = [...(project.models?.[name]?.after ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === name) return true;
    if (reached.has(next)) continue;
    reached.add(next);
    open.push(...(project.models?.[next]?.after ?? []));
  }
  return false;
}
