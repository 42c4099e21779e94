// The demo: starts what is missing, loads a database and a dirty public file into a warehouse, builds models from both, changes rows in
// the source, loads what changed, and brings a model to a CRM. Run it again as often as you like.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { tell } from '../../client/command-line/failure.ts';
import { interrupt } from '../../client/command-line/interrupt.ts';
import { outputOf, type Output } from '../../client/command-line/output.ts';
import { named, openProject, type OpenProject } from '../../client/command-line/project.ts';
import { runToEnd } from '../../client/command-line/run-to-end.ts';
import { connect, startServers, type Connected } from '../../client/command-line/servers.ts';
import { startWorker } from '../../client/command-line/worker.ts';
import { remarks, runTable } from '../../client/display/run-report.ts';
import { syncRemarks, syncTable } from '../../client/display/sync-report.ts';
import { table } from '../../client/display/table.ts';
import { plainSync, startRun, type RunOutcome } from '../../client/runs.ts';
import { startHubspot, type HubspotFake } from '../../test/fakes/hubspot.ts';

const folder = fileURLToPath(new URL('.', import.meta.url));
const output = outputOf({});

/** Rows with every value as text. */
async function query(url: string, sql: string): Promise<readonly Record<string, string | null>[]> {
  const client = new pg.Client({ connectionString: url, types: { getTypeParser: () => (value: string) => value } });
  await client.connect();
  try {
    return (await client.query<Record<string, string | null>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A database for the tickets beside the warehouse, filled once. */
async function seedTickets(warehouse: string): Promise<string> {
  const url = new URL(warehouse);
  url.pathname = '/tickets';
  const [found] = await query(warehouse, `SELECT 1 FROM pg_database WHERE datname = 'tickets'`);
  if (found === undefined) await query(warehouse, 'CREATE DATABASE tickets');
  const [seeded] = await query(url.href, `SELECT to_regclass('managers') AS name`);
  if (seeded?.['name'] !== null) return url.href;
  // One of an earlier version is made anew.
  await query(url.href, 'DROP TABLE IF EXISTS screenings, cinemas');
  await query(url.href, await readFile(new URL('seed.sql', import.meta.url), 'utf8'));
  return url.href;
}

interface Demo {
  readonly project: OpenProject;
  readonly connected: Connected;
  readonly signal: AbortSignal;
}

interface Places {
  readonly warehouse: string;
  readonly tickets: string;
  readonly crm: HubspotFake;
}

/** The report of a run: tables, and what is worth knowing. */
function reportLines({ report, sync }: RunOutcome): readonly string[] {
  if (sync !== undefined) return [...syncTable(sync), ...syncRemarks(sync).map((line) => `  ${line}`)];
  return report === undefined ? [] : [...runTable(report), ...remarks(report).map((line) => `  ${line}`)];
}

const pages: string[] = [];

/** Runs a pipeline or sync, and shows what it did. A sync is sent in full: the CRM is a new one each time. */
async function run({ project, connected, signal }: Demo, name: string, title: string): Promise<void> {
  output.line(`\n── ${title}`);
  const { runnable, hash } = named(project, name);
  const options = runnable.kind === 'sync' ? { ...plainSync, full: true } : { fullRefresh: false };
  const started = await startRun(connected.client, runnable, options, hash);
  pages.push(`${title}: ${connected.page(started)}`);
  const outcome = await runToEnd(started, true, { connected, runnable, output, signal });
  if (outcome === undefined) throw new Error('interrupted');
  for (const line of reportLines(outcome)) output.line(line);
  if (!outcome.ok) throw new Error(outcome.message);
}

function list(title: string, rows: readonly Readonly<Record<string, string | null | undefined>>[]): void {
  output.line(`\n${title}`);
  const columns = Object.keys(rows[0] ?? {}).map((name) => ({ title: name }));
  for (const line of table(
    columns,
    rows.map((row) => Object.values(row).map((value) => value ?? '')),
  ))
    output.line(line);
}

async function show(title: string, url: string, sql: string): Promise<void> {
  list(title, await query(url, sql));
}

/** Some contacts of the CRM, as it has them. */
function contacts(crm: HubspotFake): readonly Readonly<Record<string, string | undefined>>[] {
  const found = [...crm.of('contacts').byId.values()].slice(0, 3);
  return found.map(({ properties: { email, company, lifetime_value, segment } }) => ({ email, company, lifetime_value, segment }));
}

async function demo(demoOf: Demo, { warehouse, tickets, crm }: Places): Promise<void> {
  await run(demoOf, 'films', 'A dirty public file: 3,201 films, cleaned, deduplicated, bad rows kept with the reason');
  await show(
    'What was refused, and why (_millrace.rejections):',
    warehouse,
    `SELECT "column", rule, count(*) AS rows FROM _millrace.rejections
     WHERE pipeline = 'films' AND load_id = (SELECT load_id FROM _millrace.loads WHERE pipeline = 'films' ORDER BY committed_at DESC LIMIT 1)
     GROUP BY 1, 2 ORDER BY 3 DESC`,
  );
  await run(demoOf, 'tickets', 'A database of 50,000 screenings, and the models built from both');
  await query(
    tickets,
    `UPDATE screenings SET tickets = tickets + 1, takings = takings + 9.50, updated_at = now() WHERE id % 500 = 0;
     INSERT INTO screenings (cinema_id, title, released, shown_at, tickets, takings)
     SELECT 1, 'Fargo', '1996-03-08', now(), 42, 399.00 FROM generate_series(1, 25)`,
  );
  await run(demoOf, 'tickets', 'The same again after 100 rows changed and 25 came: only those are read');
  await show('The model marts.genre_takings:', warehouse, 'SELECT * FROM marts.genre_takings');
  await run(demoOf, 'managers', "Each manager's contact in the CRM gets the figures of the cinema; the CRM is a fake HubSpot of this demo");
  await show(
    'What the CRM refused, and why (_millrace.sync_open); it is sent again when the row is mended:',
    warehouse,
    `SELECT key AS cinema_id, outcome, code, reason FROM _millrace.sync_open WHERE sync = 'managers'`,
  );
  list(`Three of the ${crm.of('contacts').byId.size} contacts that the CRM has:`, contacts(crm));
}

async function main(say: Output['note']): Promise<void> {
  using stopping = interrupt();
  process.env['PUBLIC_DATA'] ??= fileURLToPath(new URL('../../node_modules/vega-datasets/data', import.meta.url));
  process.env['TICKETS_URL'] ??= '';
  await using crm = await startHubspot({ token: 'pat-demo' });
  process.env['HUBSPOT_URL'] = crm.url;
  process.env['HUBSPOT_TOKEN'] = 'pat-demo';
  const project = await openProject({ file: join(folder, 'millrace.yaml') });
  const need = { postgres: true, temporal: true };
  const servers = await startServers({ folder: project.folder, project: project.name, log: say, need }, project, say);
  const warehouse = process.env['WAREHOUSE_URL'] ?? servers.postgres?.url ?? '';
  const tickets = await seedTickets(warehouse);
  process.env['TICKETS_URL'] = tickets;
  await using connected = await connect(servers);
  say('starting a worker');
  const worker = await startWorker({ project, connected });
  try {
    await demo({ project, connected, signal: stopping.signal }, { warehouse, tickets, crm });
  } finally {
    await worker.stop();
  }
  output.line('\nEach run in the Temporal UI:');
  for (const page of pages) output.line(`  ${page}`);
  output.line('\nPostgreSQL and Temporal go on in the background, so that these addresses work. They are stopped by:');
  output.line('  npm run millrace -- down --file examples/cinema/millrace.yaml');
}

try {
  await main(output.note);
} catch (error) {
  const told = tell(error);
  output.note(told.text);
  process.exitCode = told.exitCode;
}
