import type { DeadLetter, WebhookStanding } from '../../connectors/webhook-books.ts';
import type { OutgoingWebhook } from '../../schema/webhook.ts';
import { table } from './table.ts';
import { counted, moment, oneLine } from './text.ts';

const columns = [
  { title: 'webhook' },
  { title: 'to' },
  { title: 'datasets' },
  { title: 'waiting', right: true },
  { title: 'dead letters', right: true },
  { title: 'moved' },
];

/** How far each webhook is. */
export function webhooksTable(
  webhooks: readonly { readonly webhook: OutgoingWebhook; readonly standing: WebhookStanding | undefined }[],
): readonly string[] {
  return table(
    columns,
    webhooks.map(({ webhook: { name, to, datasets }, standing }) => [
      name,
      to.name,
      datasets.join(' '),
      `${standing?.waiting ?? 0}`,
      `${standing?.dead ?? 0}`,
      standing === undefined ? 'never: it begins when the gateway serves' : moment(new Date(standing.at)),
    ]),
  );
}

/** A dead letter: what it tells, and why it was not taken. */
export function letterLines({ webhook, changeId, body, reason, attempts, at, replayedAt }: DeadLetter): readonly string[] {
  const replayed = replayedAt === null ? '' : `, taken ${moment(new Date(replayedAt))}`;
  return [
    `${webhook} ${changeId}  ${moment(new Date(at))}, ${counted(attempts, 'attempt')}${replayed}: ${oneLine(reason)}`,
    `  ${oneLine(body)}`,
  ];
}
