import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { MillraceError } from '../../schema/errors.ts';
import { editorSchema, firstProject } from '../command-line/first-project.ts';
import { plainCommand } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { projectFileNames } from '../project/load.ts';

interface Options {
  readonly name?: string;
}

/** A project's name out of a folder's. */
function nameOf(folder: string): string {
  const name = basename(folder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 40);
  return name === '' ? 'first' : name;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Writes a file that isn't there; one that is stays as it is. */
async function writeMissing(path: string, text: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true });
  if (await exists(path)) return false;
  await writeFile(path, text);
  return true;
}

/** Adds the lines that a .gitignore lacks. */
async function ignore(folder: string, lines: readonly string[]): Promise<boolean> {
  const path = join(folder, '.gitignore');
  const before = await readFile(path, 'utf8').catch(() => '');
  const missing = lines.filter((line) => !before.split(/\r?\n/).includes(line));
  if (missing.length === 0) return false;
  const start = before === '' || before.endsWith('\n') ? before : `${before}\n`;
  await writeFile(path, `${start}${missing.join('\n')}\n`);
  return true;
}

function next(folder: string, output: Output): void {
  const way = relative(process.cwd(), folder);
  const steps = [
    ...(way === '' ? [] : [`cd ${way.startsWith('..') ? folder : way}`]),
    'millrace run films       # starts what is missing, loads data/films.csv',
    'millrace rejections films',
    'millrace up              # keeps all running, with the schedules',
  ];
  output.line();
  output.line('Next:');
  for (const step of steps) output.line(`  ${step}`);
  output.line('Without millrace on the PATH: npx millrace …');
}

async function init(folder: string, options: Options): Promise<void> {
  const output = outputOf({});
  const target = resolve(folder);
  await mkdir(target, { recursive: true });
  for (const name of projectFileNames) {
    if (await exists(join(target, name))) throw new MillraceError('config', `${join(target, name)} is there already: it stays as it is.`);
  }
  const name = options.name ?? nameOf(target);
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name)) {
    throw new MillraceError(
      'config',
      `"${name}" is no name for a project: letters, digits, "_" and "-", beginning with a letter, at most 63.`,
    );
  }
  for (const [path, text] of Object.entries(firstProject(name))) {
    output.line(`${(await writeMissing(join(target, path), text)) ? 'wrote' : 'kept'} ${path}`);
  }
  await mkdir(join(target, '.millrace'), { recursive: true, mode: 0o700 });
  await writeFile(join(target, '.millrace', 'millrace.schema.json'), await editorSchema());
  if (await ignore(target, ['.env', '.millrace/'])) output.line('wrote .gitignore');
  next(target, output);
}

/** `millrace init` */
export const command = (): Command =>
  plainCommand('init', 'Writes a first project: a project file with comments, sample data, and what git must not keep.', [
    'millrace init',
    'millrace init acme --name acme',
  ])
    .argument('[folder]', 'where to; made when missing', '.')
    .option('--name <name>', "the project's name; without it, the folder's")
    .action(init);
