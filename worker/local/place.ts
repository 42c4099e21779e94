import { createHash } from 'node:crypto';
import { access, chmod, chown, constants, mkdir, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isRoot, type Account } from './account.ts';
import { localFolder, postgresPassword } from './state.ts';

const systemFolder = '/var/lib/millrace';

/** Where the PostgreSQL of a project lives. */
export interface PostgresPlace {
  /** The folder that holds this data folder and those of earlier passwords. */
  readonly home: string;
  readonly data: string;
  readonly password: string;
  readonly account: Account | undefined;
}

/**
 * The place of a project's PostgreSQL: in `.millrace`, or under /var/lib/millrace for root, where the server's account can read.
 * A data folder belongs to a password, so that a fresh clone never meets the data of a deleted one.
 */
export async function postgresPlace(folder: string, account: Account | undefined): Promise<PostgresPlace> {
  const password = await postgresPassword(folder);
  const home = await postgresHome(folder);
  const data = join(home, digest(password).slice(0, 12));
  await mkdir(home, { recursive: true, mode: 0o755 });
  if (account !== undefined) {
    await chmod(systemFolder, 0o755);
    await chown(home, account.uid, account.gid);
    await chmod(home, 0o700);
  }
  return { home, data, password, account };
}

/** The folder of the data of a project's PostgreSQL, whether it exists or not. */
export async function postgresHome(folder: string): Promise<string> {
  if (!isRoot()) return join(folder, '.millrace', 'postgres');
  return join(systemFolder, digest(await realpath(folder).catch(() => folder)).slice(0, 16));
}

/** The folder for what is made once for all projects: PostgreSQL's programs and the Temporal dev server. */
export async function cacheFolder(folder: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const cache = environment['XDG_CACHE_HOME'] ?? join(environment['HOME'] ?? homedir(), '.cache');
  const wanted = join(cache, 'millrace', 'bin');
  try {
    await mkdir(wanted, { recursive: true });
    await access(wanted, constants.W_OK);
    return wanted;
  } catch {
    const local = join(await localFolder(folder), 'bin');
    await mkdir(local, { recursive: true });
    return local;
  }
}

/** The folder that holds PostgreSQL's programs. */
export async function programShelf(folder: string, environment: NodeJS.ProcessEnv): Promise<string> {
  return isRoot() ? join(systemFolder, 'bin') : cacheFolder(folder, environment);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
