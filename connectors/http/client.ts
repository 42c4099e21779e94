import type { Attempt } from '../connector.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the client's base URL, or an absolute URL (a next link, a job's address); checked like every other. */
  readonly path: string;
  /** Values are encoded; undefined ones are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, exact numbers as they are; a text with its type as it is. */
  readonly body?: unknown;
  readonly text?: { readonly type: string; readonly body: string };
  /**
   * True for requests that change nothing or may be made again without harm by the client itself (reads, look-ups, describe): they are tried again a
   * few times with growing pauses. Others go out once.
   */
  readonly repeatable: boolean;
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
  request(request: HttpRequest, attempt: Attempt): Promise<HttpAnswer>;
}
