/** What requests of one credential may do; all workers share it. */
export interface Limits {
  /** Requests in any time of `per` milliseconds. */
  readonly rate?: { readonly requests: number; readonly per: number };
  /** Requests under way at the same time. */
  readonly concurrency?: number;
  /** Requests of a day, from midnight UTC. */
  readonly daily?: number;
}

/** Leave for requests, or how long to wait before asking again. */
export interface Permits {
  readonly granted: number;
  /** Milliseconds; 0 when something was granted. */
  readonly wait: number;
  /** Why, for people: `rate`, `concurrency`, `daily quota`, `asked to wait`. */
  readonly reason: string;
}

/** Keeps the limits of credentials for all workers; `credential` is a digest. */
export interface LimitStore {
  /** Takes leave for up to `wanted` requests. Concurrency that isn't given back (its worker died) comes back after `lease` milliseconds. */
  take(credential: string, limits: Limits, wanted: number, lease: number): Promise<Permits>;
  /** Gives concurrency back. */
  giveBack(credential: string, permits: number): Promise<void>;
  /** No request of the credential for this many milliseconds: the other side asked for it. */
  pause(credential: string, milliseconds: number): Promise<void>;
}

/** A token as the authorization server gave it. */
export interface StoredToken {
  readonly accessToken: string;
  /** Milliseconds since 1970; undefined when the server didn't say. */
  readonly expiresAt?: number;
  /** The refresh token for the next time, where the server rotates them. */
  readonly refreshToken?: string;
}

/** Keeps tokens of credentials for all workers, encrypted under the given key. */
export interface TokenStore {
  /** The stored token; undefined when there is none that the key opens. */
  read(credential: string, key: Uint8Array): Promise<StoredToken | undefined>;
  /**
   * Lets one caller at a time, of all workers, fetch a new token; others wait and get what it stored. `fetch` is given the stored token
   * and its result is durable before this returns. A token that `isFresh` accepts is returned without a fetch.
   */
  refresh(
    credential: string,
    key: Uint8Array,
    isFresh: (token: StoredToken) => boolean,
    fetch: (stored: StoredToken | undefined) => Promise<StoredToken>,
  ): Promise<StoredToken>;
}

/** A request as it goes out, complete. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: string;
  /** Lower-case names; credentials are in `authorization` and in those that `secretHeaders` names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface IncomingAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends a request and gives its answer. In place of the network it gets requests as they may be shown, `[secret]` in place of secrets. */
export type Transport = (request: OutgoingRequest) => Promise<IncomingAnswer>;
