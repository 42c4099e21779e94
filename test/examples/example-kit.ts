import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toDefinitions } from '../../client/project/definitions.ts';
import { loadProject } from '../../client/project/load.ts';
import type { RunOutcome } from '../../client/runs.ts';
import { openProject, sql } from '../pipeline-kit.ts';
import { createDatabase, dropDatabase } from '../servers.ts';

/** A copy of an example, with databases of its own and a worker. */
export interface Example extends AsyncDisposable {
  /** Where the example's files are. */
  readonly folder: string;
  source(text: string): ReturnType<typeof sql>;
  warehouse(text: string): ReturnType<typeof sql>;
  readonly warehouseUrl: string;
  /** Runs a pipeline of the example's project file. */
  run(name: string): Promise<RunOutcome>;
}

export interface Variables {
  /** The variable of the database that seed.sql fills. */
  readonly source: string;
  readonly more?: Readonly<Record<string, string>>;
}

/** Opens an example as its header says: the databases that it needs by variables, and the project file as it is, under another name. */
export async function openExample(name: string, variables: Variables): Promise<Example> {
  const [sourceUrl, warehouseUrl] = await Promise.all([createDatabase(`${name}_source`), createDatabase(`${name}_warehouse`)]);
  const environment = { ...variables.more, [variables.source]: sourceUrl, WAREHOUSE_URL: warehouseUrl };
  const project = await openProject(name, { environment });
  const folder = join(project.folder, name);
  const original = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
  await cp(original, folder, { recursive: true, filter: (path) => !path.includes('.millrace') });
  const loaded = await loadProject({ cwd: folder });
  const renamed = { ...loaded, name: project.project, project: { ...loaded.project, project: project.project } };
  const { pipelines } = toDefinitions(renamed);
  await sql(sourceUrl, await readFile(join(folder, 'seed.sql'), 'utf8'));
  return {
    folder,
    source: (text) => sql(sourceUrl, text),
    warehouse: (text) => sql(warehouseUrl, text),
    warehouseUrl,
    async run(pipeline) {
      const definition = pipelines.get(pipeline)?.definition;
      if (definition === undefined) throw new Error(`the example has no pipeline ${pipeline}`);
      return await project.run(definition);
    },
    async [Symbol.asyncDispose]() {
      await project[Symbol.asyncDispose]();
      await Promise.all([dropDatabase(sourceUrl), dropDatabase(warehouseUrl)]);
    },
  };
}
