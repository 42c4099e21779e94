import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { withClient } from './data.ts';

async function hasPsql(): Promise<boolean> {
  const child = spawn('psql', ['--version'], { stdio: 'ignore' });
  return await Promise.race([once(child, 'exit').then(([code]) => code === 0), once(child, 'error').then(() => false)]);
}

const psql = hasPsql();

function inShell(command: string, environment: Record<string, string>): Promise<void> {
  const child = spawn('bash', ['-o', 'pipefail', '-c', command], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return once(child, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`the reference failed: ${command}`);
  });
}

/** The plainest competent way: `psql COPY | psql COPY`, or a bare stream of the same bytes where psql is missing. */
export async function copyAcross(
  source: string,
  query: string,
  target: string,
  table: string,
  format: 'binary' | 'csv' = 'binary',
): Promise<void> {
  if (await psql) {
    const out = `psql -qX "$SOURCE" -c "COPY (${query}) TO STDOUT (FORMAT ${format})"`;
    await inShell(`${out} | psql -qX "$TARGET" -c "COPY ${table} FROM STDIN (FORMAT ${format})"`, { SOURCE: source, TARGET: target });
    return;
  }
  await withClient(source, (reader) =>
    withClient(target, (writer) =>
      pipeline(
        reader.query(copyTo(`COPY (${query}) TO STDOUT (FORMAT ${format})`)),
        writer.query(copyFrom(`COPY ${table} FROM STDIN (FORMAT ${format})`)),
      ),
    ),
  );
}

/** `COPY` of a CSV file with a header. */
export async function copyFile(path: string, target: string, table: string): Promise<void> {
  await inShell(`psql -qX "$TARGET" -c "COPY ${table} FROM STDIN (FORMAT csv, HEADER)" < "$FILE"`, { TARGET: target, FILE: path });
}
