import type { ApplicationContext } from '../application.ts';
import type { HttpAnswer, HttpClient } from './client.ts';
import type { HttpSettings } from './settings.ts';
import type { Limits } from './stores.ts';

export interface HttpClientOptions {
  /** The connection's name, for messages. */
  readonly name: string;
  /** Requests with a path go below it. Only its origin gets credentials. */
  readonly baseUrl: string;
  /** Of the connection's settings those of `httpParts`, and `auth`; a vendor with settings of its own puts an `auth` together. */
  readonly settings: HttpSettings;
  readonly context: ApplicationContext;
  /** What the vendor allows, where the settings don't say. */
  readonly limits?: Limits;
  /** Headers of every request to the base URL's origin. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The same for headers that hold credentials, in place of or besides `settings.auth`. */
  readonly authHeaders?: Readonly<Record<string, string>>;
  /** Other headers that hold secrets; with those of `authHeaders` they are kept from other hosts and out of what is shown. */
  readonly secretHeaders?: readonly string[];
  /** Headers in which the vendor names a request, by preference; lower case. `x-request-id` and its like are known. */
  readonly requestIdHeaders?: readonly string[];
  /** The vendor's own forms of asking to wait (403 with a code): milliseconds, undefined when an answer isn't one. 429 and its headers are known. */
  readonly throttled?: (answer: HttpAnswer) => number | undefined;
  /** Answers of 5xx of which the vendor promises that nothing was done. */
  readonly noEffect?: (answer: HttpAnswer) => boolean;
}

/** The client of a connection, open for one step. */
export declare function createHttpClient(options: HttpClientOptions): HttpClient;
