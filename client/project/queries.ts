import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { wrong, type Finding } from './finding.ts';
import type { ProjectFile } from './schema.ts';

/** The SQL of each model; a file that can't be read is a finding. */
export async function modelQueries(
  project: ProjectFile,
  folder: string,
): Promise<{ readonly byModel: ReadonlyMap<string, string>; readonly findings: readonly Finding[] }> {
  const byModel = new Map<string, string>();
  const findings: Finding[] = [];
  for (const [name, { sql }] of Object.entries(project.models ?? {})) {
    if (typeof sql === 'string') {
      byModel.set(name, sql);
      continue;
    }
    const path = resolve(folder, sql.file);
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) findings.push(wrong(['models', name, 'sql', 'file'], `names ${path}, which cannot be read.`));
    else if (text.trim() === '') findings.push(wrong(['models', name, 'sql', 'file'], `names ${path}, which is empty.`));
    else byModel.set(name, text);
  }
  return { byModel, findings };
}
