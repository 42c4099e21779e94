import type { Alert } from '../../schema/alert.ts';

/** An alert with the page of its run in the Temporal UI, where that is known. */
export type Message = Alert & { readonly page?: string };

const emoji: Readonly<Record<Alert['kind'], string>> = {
  failed: ':red_circle:',
  recovered: ':large_green_circle:',
  late: ':large_yellow_circle:',
  rejected: ':large_yellow_circle:',
};

/** Slack's control characters: https://docs.slack.dev/messaging/formatting-message-text */
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** What Slack and those who follow it (Mattermost, Rocket.Chat) take. */
function slack(message: Message): { text: string } {
  const lines = [
    `${emoji[message.kind]} *${escaped(message.project)}/${escaped(message.name)}* ${escaped(message.summary)}`,
    ...message.details.map((detail) => `• ${escaped(detail)}`),
    ...(message.page === undefined ? [] : [`<${message.page}|Open the run>`]),
  ];
  return { text: lines.join('\n').slice(0, 3500) };
}

/** The body to post, in the connection's shape. */
export function bodyOf(message: Message, template: 'json' | 'slack'): unknown {
  return template === 'slack' ? slack(message) : message;
}
