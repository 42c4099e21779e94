import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** The PostgreSQL server that tests use; an administrator's URL. */
export async function postgresUrl(): Promise<string> {
  const url = process.env['MILLRACE_TEST_POSTGRES'];
  if (url === undefined) throw new Error('MILLRACE_TEST_POSTGRES is not set');
  return url;
}

/** The Temporal server that tests use. */
export async function temporalAddress(): Promise<string> {
  const address = process.env['MILLRACE_TEST_TEMPORAL'];
  if (address === undefined) throw new Error('MILLRACE_TEST_TEMPORAL is not set');
  return address;
}

/** Makes an empty database of a unique name and gives its URL. */
export async function createDatabase(prefix: string): Promise<string> {
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  const url = await postgresUrl();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE "${name}"`);
  } finally {
    await client.end();
  }
  const made = new URL(url);
  made.pathname = `/${name}`;
  return made.href;
}

/** Drops a database that `createDatabase` made, ending its sessions. */
export async function dropDatabase(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  const client = new pg.Client({ connectionString: await postgresUrl() });
  await client.connect();
  try {
    await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  } finally {
    await client.end();
  }
}
