import type { Dependencies } from '../activities/dependencies.ts';
import { openApplicationOf } from '../activities/open-sync.ts';
import { outgoingRows } from '../activities/send/outgoing.ts';
import type { OutgoingRow } from '../connectors/application.ts';
import type { Attempt } from '../connectors/connector.ts';
import type { LimitStore, OutgoingRequest, TokenStore, Transport } from '../connectors/http/stores.ts';
import type { Column } from '../schema/column.ts';
import { MillraceError } from '../schema/errors.ts';
import type { Explanation, PreviewRow } from '../schema/sync-books.ts';
import type { SyncDefinition } from '../schema/sync-definition.ts';
import { jsonText } from '../schema/value.ts';

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

/** The row as it would be sent. */
function rowOf(sync: SyncDefinition, planned: PreviewRow, { acknowledged }: Explanation, columns: readonly Column[]): OutgoingRow {
  const mapped = [...sync.match, ...sync.map];
  const typed = mapped.map(({ column }) => columns.find(({ name }) => name === column) ?? { name: column, type: 'text' });
  const changed = planned.changed === null ? null : sync.map.flatMap(({ field }, at) => (planned.changed?.includes(field) ? [at] : []));
  const toRow = outgoingRows(sync, typed, changed !== null);
  return toRow({
    ...planned,
    no: 1,
    changed,
    values: jsonText(mapped.map(({ field }) => planned.values[field] ?? null)),
    remoteId: acknowledged?.remoteId ?? null,
    sent: false,
    idempotencyKey: '00000000-0000-0000-0000-000000000000',
  });
}

/** The requests that the application would be sent for the planned row; nothing leaves this process. `columns`: the model's, for their types. */
export async function requestsOf(
  deps: Dependencies,
  sync: SyncDefinition,
  explanation: Explanation,
  attempt: Attempt,
  columns: readonly Column[] = [],
): Promise<readonly ShownRequest[]> {
  const { planned } = explanation;
  if (planned === null) return [];
  const captured: OutgoingRequest[] = [];
  const transport: Transport = async (request) => {
    captured.push(request);
    return { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' };
  };
  await using application = await openApplicationOf(deps, sync, { limits: noLimits, tokens: noTokens, transport }, 1);
  const row = rowOf(sync, planned, explanation, columns);
  try {
    await application.send({ operation: planned.operation, rows: [row] }, attempt);
  } catch (error) {
    // Some look things up before they write, and the empty answer is none that they know.
    if (captured.length === 0 && !(error instanceof MillraceError)) throw error;
  }
  return captured.map((request) => shown(request, (text) => deps.scrub(text).replaceAll(token, '***')));
}
