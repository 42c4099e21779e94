/** Who asks, as the gateway found out by the token. */
export interface Caller {
  /** `token:<id>`, `jwt:<issuer>:<subject>`, `anonymous:<network>`, or `signed:<name>` where a signature stands for a token: for limits and the audit log. */
  readonly id: string;
  /** Undefined for a token without a role: it may not read. */
  readonly role: string | undefined;
  readonly scopes: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** Equal for callers who see the same: role, and the claims that rules of the project use. Part of the keys of kept answers. */
  readonly identity: string;
}

/** What a route asks of its caller; each route must name it. `page`: files of the pages, which hold no data. */
export type Access =
  | { readonly kind: 'public' }
  | { readonly kind: 'page' }
  /** Reads APIs; `api`, or `api:<name>` for the one named. */
  | { readonly kind: 'api' }
  | { readonly kind: 'changes' }
  /** The parameter `name` of the path is the connection; a signature may stand for the token. */
  | { readonly kind: 'ingest' }
  | { readonly kind: 'trigger' }
  /** The numbers of the gateway itself; callers on this machine need no token. */
  | { readonly kind: 'metrics' };
