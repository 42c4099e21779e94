import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadProject, type LoadedProject } from '../../client/project/load.ts';
import { MillraceError } from '../../schema/errors.ts';

interface Folder extends AsyncDisposable {
  readonly path: string;
}

/** A folder with the files given, gone after use. */
export async function folderWith(files: Readonly<Record<string, string>>): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-project-'));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Loads a project of the text given; more files by name. */
export async function load(text: string, files: Readonly<Record<string, string>> = {}): Promise<LoadedProject> {
  await using folder = await folderWith({ 'millrace.yaml': text, ...files });
  return await loadProject({ cwd: folder.path });
}

/** The lines of the error that loading gives, without the folder; empty when there is none. */
export async function problems(text: string, files: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  await using folder = await folderWith({ 'millrace.yaml': text, ...files });
  try {
    await loadProject({ cwd: folder.path });
    return [];
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== 'config') throw error;
    return error.message.replaceAll(`${folder.path}/`, '').split('\n');
  }
}

/** A project of one files pipeline with the stream settings given, indented by eight spaces below its name. */
export function filesProject(settings: string): string {
  return `${connections}
pipelines:
  films:
    from: drops
    to: warehouse.films
    streams:
      movies.csv:
${indented(settings)}
`;
}

/** The same for a table. */
export function tableProject(settings: string, stream = 'orders'): string {
  return `${connections}
pipelines:
  shop:
    from: shop
    to: warehouse.shop
    streams:
      ${stream}:
${indented(settings)}
`;
}

export const connections = `project: acme
connections:
  shop: { type: postgres, url: "\${env:SHOP_URL}" }
  drops: { type: files, path: ./data }
  warehouse: { type: postgres, url: "\${env:WAREHOUSE_URL}" }
  ops: { type: webhook, url: "\${env:OPS_URL:-}" }`;

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `        ${line}`)
    .join('\n');
}
