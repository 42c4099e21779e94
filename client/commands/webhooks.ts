import type { Command } from 'commander';
import { positive, projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject } from '../command-line/project.ts';
import { webhookNamed, webhooksOf, withWebhookBooks } from '../command-line/webhooks.ts';
import { counted, oneLine } from '../display/text.ts';
import { webhookRemarks } from '../command-line/webhook-remarks.ts';
import { letterLines, webhooksTable } from '../display/webhooks-report.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly all?: true;
  readonly limit: number;
}

async function webhooks(name: string | undefined, options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const chosen = name === undefined ? webhooksOf(project) : [webhookNamed(project, name)];
  await withWebhookBooks(project, async (books) => {
    const standings = await Promise.all(
      chosen.map(async (webhook) => ({
        webhook,
        standing: await books.standing({ project: project.name, webhook: webhook.name }, webhook.datasets),
      })),
    );
    const found = await books.letters({
      project: project.name,
      ...(name === undefined ? {} : { webhook: name }),
      open: options.all !== true,
      limit: options.limit + 1,
    });
    const letters = found.slice(0, options.limit);
    const waiting = standings.flatMap(({ webhook, standing }) => ((standing?.waiting ?? 0) > 0 ? [webhook.name] : []));
    const remarks = await webhookRemarks(project, waiting);
    output.data({
      webhooks: standings.map(({ webhook: { name: of }, standing }) => ({ webhook: of, ...standing, remark: remarks.get(of) })),
      deadLetters: letters,
    });
    if (chosen.length === 0) return output.line('The project has no webhooks: they are under gateway.webhooks.');
    for (const line of webhooksTable(standings)) output.line(line);
    for (const [waits, remark] of remarks) output.line(`${waits} waits: ${oneLine(remark)}`);
    if (letters.length > 0) output.line();
    for (const line of letters.flatMap(letterLines)) output.line(line);
    if (found.length > letters.length) output.line(`… more than ${counted(options.limit, 'dead letter')}: --limit shows more`);
    if (letters.some(({ replayedAt }) => replayedAt === null))
      output.line('millrace replay <webhook> <id> posts one again, --all posts all.');
  });
}

/** `millrace webhooks` */
export const command = (): Command =>
  projectCommand(
    'webhooks',
    'Shows how far the outgoing webhooks are, and their dead letters: commits that an address never took, with the reason and as they were posted.',
    ['millrace webhooks', 'millrace webhooks partner --all --json'],
  )
    .argument('[name]', 'only this webhook')
    .option('--all', 'those dead letters too that were taken when they were replayed')
    .option('--limit <number>', 'at most so many dead letters', positive, 100)
    .option('--json', 'the result as JSON')
    .action(webhooks);
