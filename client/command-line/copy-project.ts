import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { MillraceError } from '../../schema/errors.ts';
import type { modes } from '../../schema/definition.ts';
import { toDefinitions } from '../project/definitions.ts';
import { problemsText } from '../project/finding.ts';
import type { LoadedProject } from '../project/load.ts';
import { projectFileSchema } from '../project/schema.ts';
import { validate } from '../project/validate.ts';
import type { OpenProject } from './project.ts';

export interface CopyOptions {
  readonly from: string;
  readonly to: string;
  readonly stream?: string;
  readonly into?: string;
  readonly mode?: (typeof modes)[number];
  readonly key?: readonly string[];
  readonly cursor?: string;
}

/** One end of a copy: a connection whose address is a reference, so that no password travels. */
interface End {
  readonly connection: Readonly<Record<string, string>>;
  /** What names it among others: address without user and password. */
  readonly identity: string;
  /** The file, where the end is one. */
  readonly file?: string;
}

const isDatabase = (address: string): boolean => /^postgres(ql)?:\/\//.test(address);

function database(address: string, variable: string): End {
  let url: URL;
  try {
    url = new URL(address);
  } catch (error) {
    throw new MillraceError('config', 'An address of a database is of the form postgres://user:password@host:5432/database.', {
      cause: error,
    });
  }
  process.env[variable] = address;
  return { connection: { type: 'postgres', url: `\${env:${variable}}` }, identity: `postgres://${url.host}${url.pathname}` };
}

/** An address given as a reference (`${env:SHOP_URL}`) stays one. */
function endOf(address: string, variable: string): End {
  const reference = /^\$\{env:(\w+)\}$/.exec(address)?.[1];
  if (reference !== undefined) {
    const value = process.env[reference];
    if (value === undefined) throw new MillraceError('config', `The variable ${reference} is not set.`);
    return endOf(value, variable);
  }
  if (isDatabase(address)) return database(address, variable);
  const scheme = /^([a-z][\w+.-]*):\/\//i.exec(address)?.[1];
  if (scheme !== undefined) {
    throw new MillraceError(
      'config',
      `There is no connector for ${scheme}: an address is a PostgreSQL database (postgres://…), a folder or a file.`,
    );
  }
  const path = resolve(address);
  if (!/\.\w+$/.test(basename(path))) return { connection: { type: 'files', path }, identity: path };
  return { connection: { type: 'files', path: dirname(path) }, identity: dirname(path), file: basename(path) };
}

/** Files are looked for below what stands before the first wildcard; where that is missing, the search would go through all above it. */
function requireFiles({ connection: { path }, file = '' }: End): void {
  if (path === undefined) return;
  const whole = join(path, file);
  const wildcard = whole.search(/[*?[{]/);
  const certain = wildcard < 0 ? whole : whole.slice(0, whole.lastIndexOf('/', wildcard) + 1);
  if (!existsSync(whole) && !existsSync(certain)) throw new MillraceError('not-found', `There is no file or folder ${certain}.`);
}

/** `sales.orders` goes to the schema `sales`, everything else to `public`, where `--into` says nothing. */
function targetOf(stream: string, into: string | undefined, isTable: boolean): { readonly schema: string; readonly table?: string } {
  const [schema = '', table] = (into ?? '').split('.');
  if (schema !== '') return table === undefined || table === '' ? { schema } : { schema, table };
  const at = stream.indexOf('.');
  return { schema: isTable && at > 0 ? stream.slice(0, at) : 'public' };
}

const stateFolder = (): string => process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state');

/** A project of one pipeline `copy`; the same ends and stream give the same project, so that an interrupted copy is found again. */
export function copyProject(options: CopyOptions): OpenProject {
  const from = endOf(options.from, 'MILLRACE_COPY_FROM');
  const to = endOf(options.to, 'MILLRACE_COPY_TO');
  if (to.connection['type'] !== 'postgres')
    throw new MillraceError('config', '--to must be a PostgreSQL database: postgres://user:password@host/database.');
  requireFiles(from);
  const stream = options.stream ?? from.file;
  if (stream === undefined) throw new MillraceError('config', '--stream is missing: the table, or the file or pattern in the folder.');
  const target = targetOf(stream, options.into, from.connection['type'] === 'postgres');
  const settings = {
    mode: options.mode ?? 'replace',
    ...(target.table === undefined ? {} : { into: target.table }),
    ...(options.key === undefined ? {} : { key: [...options.key] }),
    ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
  };
  const identity = JSON.stringify([from.identity, to.identity, stream, target]);
  const name = `copy-${createHash('sha256').update(identity).digest('hex').slice(0, 12)}`;
  const project = {
    project: name,
    connections: { from: from.connection, to: to.connection },
    pipelines: { copy: { from: 'from', to: `to.${target.schema}`, streams: { [stream]: settings } } },
  };
  return openedCopy(name, project);
}

function openedCopy(name: string, project: unknown): OpenProject {
  const validated = validate(projectFileSchema, project);
  if ('findings' in validated) throw new MillraceError('config', problemsText('millrace copy', validated.findings));
  const folder = join(stateFolder(), 'millrace', name);
  const loaded: LoadedProject = {
    name,
    file: 'millrace copy',
    folder,
    stateFolder: join(folder, '.millrace'),
    envFile: undefined,
    project: validated.value,
    queries: new Map(),
  };
  return { name, folder, staging: join(loaded.stateFolder, 'staging'), loaded, definitions: toDefinitions(loaded) };
}
