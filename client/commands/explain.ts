import type { Command } from 'commander';
import { openInProcess } from '../command-line/in-process.ts';
import { interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { findServers } from '../command-line/servers.ts';
import { syncOf } from '../command-line/sync-books.ts';
import { explanationLines } from '../display/explanation-report.ts';
import { plainSync } from '../runs.ts';

interface Options extends ProjectOptions, JsonOption {}

async function explain(name: string, key: string, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const sync = syncOf(project, name);
  await findServers(project);
  using stopping = interrupt();
  await using inProcess = await openInProcess('explain', stopping.signal);
  const { explainSync } = await import('../../worker/explain-sync.ts');
  const request = { sync, options: { ...plainSync, resend: true }, key };
  const explained = await explainSync(inProcess.dependencies, request, inProcess.attempt);
  output.data(explained);
  for (const line of explanationLines(explained)) output.line(line);
}

/** `millrace explain` */
export const command = (): Command =>
  projectCommand(
    'explain',
    'Says why a row of a sync was sent or not: the row as the model has it, its last outcome, its log, and the request of the next run with secrets removed. Sends nothing; values are shown.',
    ['millrace explain health-to-hubspot ada@example.org', 'millrace explain plans-to-shop 17 --json'],
  )
    .argument('<sync>', 'a sync')
    .argument('<key>', "the row's key in the model; of several columns, as millrace rejections shows it")
    .option('--json', 'the result as JSON')
    .action(explain);
