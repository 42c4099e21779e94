import type { Dependencies } from '../activities/dependencies.ts';
import { openApplicationOf } from '../activities/open-sync.ts';
import type { Application, OutgoingRow } from '../connectors/application.ts';
import type { Attempt } from '../connectors/connector.ts';
import type { LimitStore, OutgoingRequest, TokenStore, Transport } from '../connectors/http/stores.ts';
import { MillraceError } from '../schema/errors.ts';
import type { Explanation, PreviewRow } from '../schema/sync-books.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import type { FieldValue } from '../schema/value.ts';

/** A request as it would go out, credentials as `***`. */
export interface ShownRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const token = 'millrace-shown-request';

/** Tokens that open nothing, so that no authorization server is asked. */
const noTokens: TokenStore = {
  read: async () => ({ accessToken: token, expiresAt: Number.MAX_SAFE_INTEGER }),
  refresh: async () => ({ accessToken: token, expiresAt: Number.MAX_SAFE_INTEGER }),
};

const noLimits: LimitStore = {
  take: async (_credential, _limits, wanted) => ({ granted: wanted, wait: 0, reason: '' }),
  giveBack: async () => undefined,
  pause: async () => undefined,
};

/** Names of headers that carry credentials, whatever the connector calls them. */
const secretName = /auth|token|secret|key|cookie|session|signature|password/i;

/** A header's value, where it may be seen: not that of a credential, and not one that the scrubber knows. */
const shownHeader = (name: string, value: string, scrub: (text: string) => string): string =>
  secretName.test(name) && !/^(idempotency-key|x-request-id)$/i.test(name) ? '***' : scrub(value);

function shown({ method, url, headers, body }: OutgoingRequest, scrub: (text: string) => string): ShownRequest {
  return {
    method,
    url: scrub(url),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, shownHeader(name, value, scrub)])),
    body: body === undefined ? undefined : scrub(body),
  };
}

const pick = (names: readonly string[], values: PreviewRow['values']): Readonly<Record<string, FieldValue>> =>
  Object.fromEntries(names.flatMap((name) => (name in values ? [[name, values[name] as FieldValue]] : [])));

function rowOf(sync: SyncDefinition, planned: PreviewRow, explanation: Explanation): OutgoingRow {
  const fields = sync.map.map(({ field }) => field).filter((field) => planned.changed === null || planned.changed.includes(field));
  const match = sync.match.map(({ field }) => field);
  return {
    no: 1,
    key: planned.key,
    match: pick(match, planned.values),
    fields: pick(fields, planned.values),
    remoteId: explanation.acknowledged?.remoteId ?? undefined,
    idempotencyKey: '00000000-0000-0000-0000-000000000000',
  };
}

/** Some connectors look things up before they write; what they would ask after the first answer can't be known. */
async function send(application: Application, planned: PreviewRow, row: OutgoingRow, attempt: Attempt): Promise<void> {
  try {
    await application.send({ operation: planned.operation, rows: [row] }, attempt);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
  }
}

/** The requests that the application would be sent for the planned row; nothing leaves this process. */
export async function requestsOf(
  deps: Dependencies,
  sync: SyncDefinition,
  explanation: Explanation,
  attempt: Attempt,
): Promise<readonly ShownRequest[]> {
  const { planned } = explanation;
  if (planned === null) return [];
  const captured: OutgoingRequest[] = [];
  const transport: Transport = async (request) => {
    captured.push(request);
    return { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' };
  };
  await using application = await openApplicationOf(deps, sync, { limits: noLimits, tokens: noTokens, transport }, 1);
  await send(application, planned, rowOf(sync, planned, explanation), attempt);
  return captured.map((request) => shown(request, (text) => deps.scrub(text).replaceAll(token, '***')));
}
