import { execFile } from 'node:child_process';
import { appendFile, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { MillraceError } from '../../schema/errors.ts';

/** An operating system account. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const accountName = 'millrace';

/** Says whether this process runs as root, under which PostgreSQL refuses to start. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * The account that PostgreSQL runs under when Millrace runs as root: `millrace` or `postgres` where one exists, else `millrace` is made,
 * by useradd, or by entries in /etc/passwd and /etc/group where useradd is missing. `undefined` when this process isn't root.
 */
export async function serverAccount(log: (line: string) => void): Promise<Account | undefined> {
  if (!isRoot()) return undefined;
  const found = (await findAccount(accountName)) ?? (await findAccount('postgres'));
  if (found !== undefined) return found;
  const failures: string[] = [];
  for (const make of [useradd, writeEntries]) {
    await make().catch((error: unknown) => failures.push(error instanceof Error ? error.message.trim() : String(error)));
    const made = await findAccount(accountName);
    if (made === undefined) continue;
    log(`made the system account ${accountName}, because PostgreSQL doesn't run as root`);
    return made;
  }
  throw new MillraceError(
    'config',
    `PostgreSQL doesn't run as root, and no account could be made for it (${failures.join('; ')}). ` +
      `Make one (useradd --system ${accountName}) or run this command as an ordinary user.`,
  );
}

async function findAccount(name: string): Promise<Account | undefined> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n');
  const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { name, uid: Number(uid), gid: Number(gid) };
}

async function useradd(): Promise<void> {
  const flags = ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent', '--shell', '/bin/false'];
  await promisify(execFile)('useradd', [...flags, accountName]);
}

async function writeEntries(): Promise<void> {
  const taken = new Set<number>();
  for (const file of ['/etc/passwd', '/etc/group']) {
    for (const line of (await readFile(file, 'utf8')).split('\n')) taken.add(Number(line.split(':')[2]));
  }
  let id = 990;
  while (taken.has(id)) id -= 1;
  await appendFile('/etc/group', `${accountName}:x:${id}:\n`);
  await appendFile('/etc/passwd', `${accountName}:x:${id}:${id}:Millrace's PostgreSQL:/nonexistent:/bin/false\n`);
}
