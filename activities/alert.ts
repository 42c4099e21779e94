import { cancellationSignal, log } from '@temporalio/activity';
import type { Alert } from '../schema/alert.ts';
import type { AlertDefinition } from '../schema/definition.ts';
import type { Dependencies } from './dependencies.ts';

export interface AlertInput {
  readonly definition: AlertDefinition;
  readonly alert: Alert;
}

/** Sends an alert to its webhook, and logs it. A repeat carries the same id. */
export const createSendAlert = (deps: Dependencies) =>
  async function sendAlert({ definition, alert }: AlertInput): Promise<void> {
    const message: Alert = { ...alert, summary: deps.scrub(alert.summary), details: alert.details.map((detail) => deps.scrub(detail)) };
    const sent = await deps.postAlert(definition, message, cancellationSignal());
    log.info(sent ? 'alert sent' : 'alert, not sent: the connection has no url', {
      to: definition.to.name,
      kind: alert.kind,
      project: alert.project,
      pipeline: alert.name,
      summary: message.summary,
    });
  };
