import { InvalidArgumentError, type Command } from 'commander';
import { MillraceError } from '../../schema/errors.ts';
import { Unsuccessful } from '../command-line/failure.ts';
import { doneByPerson, withGatewayBooks } from '../command-line/gateway.ts';
import { aborted, interrupt } from '../command-line/interrupt.ts';
import { projectCommand, type JsonOption, type ProjectOptions } from '../command-line/options.ts';
import { outputOf } from '../command-line/output.ts';
import { openProject, type OpenProject } from '../command-line/project.ts';
import { connectProject } from '../command-line/servers.ts';
import { webhookNamed, withWebhookBooks } from '../command-line/webhooks.ts';
import { counted, oneLine } from '../display/text.ts';
import { startReplay } from '../replay-webhook.ts';

interface Options extends ProjectOptions, JsonOption {
  readonly all?: true;
}

/** At most so many in one workflow. */
const most = 1000;

function changeId(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^\d{1,18}$/.test(text)) throw new InvalidArgumentError('It must be the number of a dead letter, as millrace webhooks shows it.');
  return [...before, text];
}

/** The ids of the dead letters that are asked for, oldest first. Throws `config` for one that isn't there. */
async function lettersOf(project: OpenProject, webhook: string, ids: readonly string[]): Promise<readonly string[]> {
  return await withWebhookBooks(project, async (books) => {
    const wanted = ids.length === 0 ? {} : { changeIds: ids };
    const found = (await books.letters({ project: project.name, webhook, ...wanted, open: true, limit: most })).map(
      (letter) => letter.changeId,
    );
    const missing = ids.find((id) => !found.includes(id));
    if (missing === undefined) return found;
    throw new MillraceError(
      'not-found',
      `${webhook} has no dead letter ${missing} that was never taken: millrace webhooks ${webhook} lists them.`,
    );
  });
}

async function replay(name: string, ids: readonly string[], options: Options): Promise<void> {
  const output = outputOf(options);
  const project = await openProject(options);
  const webhook = webhookNamed(project, name);
  if ((ids.length === 0) === (options.all !== true)) throw new MillraceError('config', 'Give the numbers of dead letters, or --all.');
  const letters = await lettersOf(project, name, ids);
  if (letters.length === 0) {
    output.data({ taken: [], refused: [] });
    return output.line(`${name} has no dead letters.`);
  }
  await using connected = await connectProject(project);
  const started = await startReplay(connected.client, webhook, letters);
  const entry = doneByPerson(project.name, { action: 'webhook.replay', target: name, details: { letters: letters.length } });
  await withGatewayBooks(project, async (books) => await books.audit([entry]));
  output.note(`${name}: ${counted(letters.length, 'dead letter')}: ${connected.page(started)}`);
  using stopping = interrupt();
  const report = await Promise.race([started.result(), aborted(stopping.signal)]);
  if (report === undefined) return output.note('It goes on by itself.');
  output.data(report);
  for (const { changeId: id, reason } of report.refused) output.line(`${id} was not taken: ${oneLine(reason)}`);
  output.line(`${report.taken.length} of ${letters.length} taken${letters.length === most ? `; there may be more, run it again` : ''}`);
  if (report.refused.length > 0) throw new Unsuccessful();
}

/** `millrace replay` */
export const command = (): Command =>
  projectCommand(
    'replay',
    'Posts dead letters of a webhook again, as they were, and waits for the end. It is a workflow: a worker must be up, and it goes on when this command is left.',
    ['millrace replay partner 1042 1043', 'millrace replay partner --all'],
  )
    .argument('<webhook>', 'a webhook of the project file')
    .argument('[ids...]', 'numbers of dead letters, as millrace webhooks shows them', changeId)
    .option('--all', 'all that were never taken')
    .option('--json', 'the result as JSON')
    .action(async (name: string, ids: readonly string[] | undefined, options: Options) => await replay(name, ids ?? [], options));
