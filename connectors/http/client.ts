import type { Attempt } from '../attempt.ts';
import type { Limits } from './stores.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /**
   * Below the client's base URL, or an absolute URL (a next link, a job's address); checked like every other. Values inside are to be
   * encoded (`encodeURIComponent`).
   */
  readonly path: string;
  /** The path as messages name it, where it holds values of rows: `/contacts/{id}`. By default segments that look like values are left out. */
  readonly route?: string;
  /** Values are encoded; undefined ones are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, exact numbers as they are; a text with its type as it is. */
  readonly body?: unknown;
  readonly text?: { readonly type: string; readonly body: string };
  /**
   * True for requests that change nothing (reads, look-ups, describe): the client tries them again a few times with growing pauses. Others go
   * out once: writes aren't repeatable here, not even upserts, for a late one could overwrite what came after it.
   */
  readonly repeatable: boolean;
  /**
   * What a 2xx answer must hold; one that doesn't counts as garbled. `json`: JSON. `json-or-nothing`: JSON, or an empty body. `text`: a text that isn't
   * HTML, an empty one too (CSV). By default JSON, or an empty body under 204 or 205.
   */
  readonly expects?: 'json' | 'json-or-nothing' | 'text';
}

/** An answer below 500 that isn't 401 or a request to wait; connectors say what its status means. */
export interface HttpAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON with plain numbers; undefined when there is none. */
  readonly body: unknown;
  readonly text: string;
  /** What the vendor calls the request, where it says. */
  readonly requestId: string | undefined;
}

/**
 * The one client for applications. Throws `auth` for 401 after one refresh, `rate-limited` with `retryAfter` when a wait is longer than a
 * few seconds (shorter ones it waits), `unavailable` when a request surely had no effect or a repeatable one failed for good, `unknown`
 * when it may have had one: a time-out, a reset, a 5xx, an answer that was cut or isn't what it says it is.
 */
export interface HttpClient extends AsyncDisposable {
  /** Milliseconds after which a request that was begun, and isn't repeatable, can have no effect any more: waits for leave and the request itself. */
  readonly requestTimeout: number;
  /** What the client keeps to. */
  readonly limits: Limits;
  request(request: HttpRequest, attempt: Attempt): Promise<HttpAnswer>;
}
