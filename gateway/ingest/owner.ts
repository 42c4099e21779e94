import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

/** A segment of another host, or of another container of this one, is left alone until nobody has written to it for this long. */
const strangerAge = 30_000;

/** A process, so that another can tell whether it still lives: where its number counts, its number, and when it began. */
interface Owner {
  readonly place: string;
  readonly pid: string;
  readonly started: string;
}

const unless = async (work: Promise<string>): Promise<string> => {
  try {
    return (await work).trim();
  } catch {
    return '';
  }
};

const safe = (text: string): string => text.replaceAll(/[^A-Za-z0-9.-]/g, '-');

/** Field 22 of `/proc/<pid>/stat`; empty where there is no such process, or no such file system. */
async function startOf(pid: string): Promise<string> {
  const stat = await unless(readFile(`/proc/${pid}/stat`, 'utf8'));
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

let mine: Promise<Owner> | undefined;

async function findOwner(): Promise<Owner> {
  const pid = String(process.pid);
  const [boot, space, started] = await Promise.all([
    unless(readFile('/proc/sys/kernel/random/boot_id', 'utf8')),
    unless(readlink('/proc/self/ns/pid')),
    startOf(pid),
  ]);
  return { place: safe(boot === '' ? hostname() : `${boot}.${space}`), pid, started };
}

/** Begins the names of this process's open segments. */
export async function ownPrefix(): Promise<string> {
  const { place, pid, started } = await (mine ??= findOwner());
  return `${place}~${pid}~${started}~`;
}

function runs(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether the process that an open segment is named for has ended. To be wrong about it loses nothing: it finds its segment gone. */
export async function isAbandoned(name: string, modified: number): Promise<boolean> {
  const me = await (mine ??= findOwner());
  const [place, pid = '', started] = name.split('~');
  if (place !== me.place) return Date.now() - modified > strangerAge;
  return started === '' ? !runs(pid) : (await startOf(pid)) !== started;
}
