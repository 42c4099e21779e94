import type { Command } from 'commander';
import { withGatewayBooks } from '../command-line/gateway.ts';
import { positive, projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { auditTable } from '../display/gateway-report.ts';
import { count } from '../display/text.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly last: number;
  readonly verify?: true;
}

async function audit(options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  await withGatewayBooks(project, async (books) => {
    if (options.verify === true) {
      const entries = await books.verifyAudit(project.name);
      output.data({ project: project.name, entries });
      output.line(`The audit log of ${project.name} is whole: ${count(entries)} ${entries === 1 ? 'entry' : 'entries'}.`);
      return;
    }
    const entries = await books.listAudit(project.name, options.last);
    output.data(entries);
    for (const line of entries.length === 0 ? ['The audit log is empty.'] : auditTable(entries.toReversed())) output.line(line);
  });
}

/** `millrace audit` */
export const command = (): Command =>
  projectCommand(
    'audit',
    'Shows the latest lines of the audit log: who made, revoked and used what. Each line has the hash of the one before.',
    ['millrace audit', 'millrace audit --last 500 --json', 'millrace audit --verify     # that no line was changed or taken out'],
  )
    .option('--last <n>', 'how many lines', positive, 50)
    .option('--verify', 'check the chain of hashes from the first line to the last')
    .option('--json', 'the result as JSON')
    .action(audit);
