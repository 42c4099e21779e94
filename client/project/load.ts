import { access, readFile, stat } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { MillraceError } from '../../schema/errors.ts';
import { problemsText, type Finding, type Problem } from './finding.ts';
import { modelQueries } from './queries.ts';
import { findingsOf } from './rules.ts';
import { projectFileSchema, type ProjectFile } from './schema.ts';
import { validate } from './validate.ts';
import { readYaml } from './yaml.ts';

export const projectFileNames = ['millrace.yaml', 'millrace.yml', 'millrace.config.ts'] as const;
const maxFileBytes = 1024 * 1024;

export interface LoadOptions {
  /** The project file; without it, `millrace.yaml` or `millrace.config.ts` in the folder or one above. */
  readonly file?: string | undefined;
  /** A file of variables in place of `.env` beside the project file. It must exist. */
  readonly envFile?: string | undefined;
  /** The folder to begin in. */
  readonly cwd?: string | undefined;
}

/** A project file that was read and found right. */
export interface LoadedProject {
  readonly name: string;
  /** Absolute path of the project file. */
  readonly file: string;
  /** Its folder, to which paths in it are relative. */
  readonly folder: string;
  /** Where the client keeps what is local: ports, servers' data, staging. */
  readonly stateFolder: string;
  /** The file of variables for the worker; undefined when there is none. */
  readonly envFile: string | undefined;
  readonly project: ProjectFile;
  /** SQL of each model, read from its file where it has one. */
  readonly queries: ReadonlyMap<string, string>;
}

/**
 * Finds, reads and checks the project file. Throws `not-found` when there is none, and `config` with a line for each thing
 * that is wrong: file, line, column, path, sentence.
 */
export async function loadProject(options: LoadOptions = {}): Promise<LoadedProject> {
  const file = await projectFile(options);
  const folder = dirname(file);
  const { data, place } = file.endsWith('.ts') ? await readConfig(file) : await readYamlFile(file);
  const project = accept(data, file, place);
  const queries = await modelQueries(project, folder);
  refuse(file, queries.findings.map(place));
  return {
    name: project.project,
    file,
    folder,
    stateFolder: join(folder, '.millrace'),
    envFile: await envFileOf(options, folder),
    project,
    queries: queries.byModel,
  };
}

interface Read {
  readonly data: unknown;
  readonly place: (finding: Finding) => Problem;
}

function accept(data: unknown, file: string, place: Read['place']): ProjectFile {
  const validated = validate(projectFileSchema, data);
  if ('findings' in validated) throw refusal(file, validated.findings.map(place));
  refuse(file, findingsOf(validated.value).map(place));
  return validated.value;
}

function refuse(file: string, problems: readonly Problem[]): void {
  if (problems.length > 0) throw refusal(file, problems);
}

function refusal(file: string, problems: readonly Problem[]): MillraceError {
  const sorted = [...problems].toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  return new MillraceError('config', problemsText(file, sorted));
}

async function readYamlFile(file: string): Promise<Read> {
  if ((await stat(file)).size > maxFileBytes) throw new MillraceError('config', `${file}: larger than 1 MiB; put long SQL into files.`);
  const yaml = readYaml(await readFile(file, 'utf8'));
  if (yaml.problems.length === 0) return yaml;
  throw refusal(file, yaml.readable ? [...yaml.problems, ...elsewhere(yaml)] : yaml.problems);
}

/** What else is wrong, on lines where YAML's traps don't explain it already. */
function elsewhere(yaml: ReturnType<typeof readYaml>): readonly Problem[] {
  const validated = validate(projectFileSchema, yaml.data);
  if (!('findings' in validated)) return [];
  const trapped = new Set(yaml.problems.map(({ line }) => line));
  return validated.findings.map(yaml.place).filter(({ line }) => !trapped.has(line));
}

async function readConfig(file: string): Promise<Read> {
  const define = fileURLToPath(new URL(`./schema${extname(import.meta.url)}`, import.meta.url));
  const jiti = createJiti(import.meta.url, { alias: { millrace: define }, fsCache: false, moduleCache: false });
  try {
    const data = await jiti.import(file, { default: true });
    return { data, place: ({ path, message }) => ({ path, message }) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'it threw no error';
    throw new MillraceError('config', `${file}: could not be run: ${reason}`, { cause });
  }
}

async function projectFile({ file, cwd = process.cwd() }: LoadOptions): Promise<string> {
  if (file !== undefined) {
    const path = resolve(cwd, file);
    if (await exists(path)) return path;
    throw new MillraceError('not-found', `There is no project file ${path}.`);
  }
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const here = await projectFilesIn(folder);
    if (here.length > 1) throw new MillraceError('config', `${folder} has ${here.join(' and ')}: keep one, or name it with --file.`);
    if (here[0] !== undefined) return join(folder, here[0]);
    if (dirname(folder) === folder) break;
  }
  throw new MillraceError('not-found', `There is no millrace.yaml or millrace.config.ts in ${cwd} or above. "millrace init" writes one.`);
}

async function projectFilesIn(folder: string): Promise<readonly string[]> {
  const found = await Promise.all(projectFileNames.map(async (name) => ((await exists(join(folder, name))) ? [name] : [])));
  return found.flat();
}

async function envFileOf({ envFile, cwd = process.cwd() }: LoadOptions, folder: string): Promise<string | undefined> {
  if (envFile === undefined) {
    const beside = join(folder, '.env');
    return (await exists(beside)) ? beside : undefined;
  }
  const path = resolve(cwd, envFile);
  if (await exists(path)) return path;
  throw new MillraceError('not-found', `There is no file of variables ${path}.`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
