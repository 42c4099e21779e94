import type { Command } from 'commander';
import type { Checked, CheckRun, ConnectionToCheck } from '../../schema/check.ts';
import { checkProject } from '../checks.ts';
import { serversFor, workerFor } from '../command-line/at-work.ts';
import { checkGateway } from '../command-line/check-gateway.ts';
import { Unsuccessful } from '../command-line/failure.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf, type Output } from '../command-line/output.ts';
import { openProject, type OpenProject } from '../command-line/project.ts';

interface Options extends ProjectOptions, JsonOption {}

/** Every connection in each role that the project gives it; applications are asked with what each sync writes there. Alerts' connections have none to ask. */
function checkRunOf({ definitions }: OpenProject): CheckRun {
  const pipelines = [...definitions.pipelines.values()].map(({ definition }) => definition);
  const syncs = [...definitions.syncs.values()].map(({ definition }) => definition);
  const synced = new Set(syncs.map(({ model }) => model.name));
  const models = [...definitions.models.values()].map(({ definition }) => definition);
  const written = models.filter(({ name, build }) => build !== 'none' || !synced.has(name));
  const warehouses = [
    ...pipelines.map(({ to }) => to),
    ...written.map(({ warehouse }) => warehouse),
    ...syncs.map(({ state }) => state),
    ...(definitions.gateway?.warehouses ?? []),
  ];
  const names = new Set(warehouses.map(({ name }) => name));
  const queried = syncs.map(({ warehouse }) => warehouse).filter(({ name }) => !names.has(name));
  const wanted = [
    ...pipelines.map(({ from }): ConnectionToCheck => ({ connection: from, role: 'source' })),
    ...warehouses.map((connection): ConnectionToCheck => ({ connection, role: 'warehouse' })),
    ...queried.map((connection): ConnectionToCheck => ({ connection, role: 'models' })),
  ];
  const hooks = (definitions.gateway?.webhooks ?? []).map(({ to }): ConnectionToCheck => ({ connection: to, role: 'webhook' }));
  const unique = new Map([...wanted, ...hooks].map((input) => [`${input.role} ${input.connection.name}`, input]));
  return { connections: [...unique.values()], pipelines, syncs };
}

const roles: Readonly<Record<string, string>> = {
  source: 'as source',
  warehouse: 'as warehouse',
  models: 'to read models',
  webhook: 'to tell of commits',
};

function show(checked: readonly Checked[], output: Output): void {
  for (const { kind, name, role, system, host, problems, warnings } of checked) {
    const what = [kind, name, roles[role] ?? ''].filter((part) => part !== '').join(' ');
    output.line(`${problems.length === 0 ? 'ok     ' : 'failed '} ${what}${system === '' ? '' : `: ${system}`} (on ${host})`);
    for (const problem of problems) output.line(`        ${problem}`);
    for (const warning of warnings) output.line(`        note: ${warning}`);
  }
}

/** What connections are for that can't be asked: alerts go there. */
function silentUses({ definitions: { pipelines, models, syncs } }: OpenProject): ReadonlyMap<string, string> {
  const all = [...pipelines.values(), ...models.values(), ...syncs.values()];
  return new Map(all.flatMap(({ definition }) => definition.alerts.map(({ to }) => [to.name, 'alerts only'] as const)));
}

async function check(options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  output.line(`ok      ${project.loaded.file}`);
  const run = checkRunOf(project);
  const asked = [...run.connections.map(({ connection }) => connection), ...run.syncs.flatMap(({ to, state }) => [to, state])];
  const used = new Set(asked.map((connection) => connection.name));
  const uses = silentUses(project);
  const unused = [...project.definitions.connections.keys()].filter((name) => !used.has(name));
  await using connected = await serversFor(project, output);
  const worker = await workerFor(project, connected, output);
  const { gateway } = project.definitions;
  let checked: readonly Checked[];
  try {
    const models = [...project.definitions.models.values()].map(({ definition }) => definition);
    const published = gateway === undefined ? [] : await checkGateway(gateway, { pipelines: run.pipelines, models });
    checked = [...(await checkProject(connected.client, project.name, run)), ...published];
  } finally {
    await worker?.stop();
  }
  output.data({ project: project.name, checked, notAsked: unused });
  show(checked, output);
  if (unused.length > 0) output.line(`not asked: ${unused.map((name) => `${name} (${uses.get(name) ?? 'not used'})`).join(', ')}`);
  if (checked.some(({ problems }) => problems.length > 0)) throw new Unsuccessful();
}

/** `millrace check` */
export const command = (): Command =>
  projectCommand(
    'check',
    'Checks the project file, then asks the worker: connections, streams, steps and keys, and the fields that syncs write; and the warehouse for the columns and rules of APIs. Nothing is written.',
    ['millrace check', 'millrace check --json'],
  )
    .option('--json', 'the result as JSON')
    .action(check);
