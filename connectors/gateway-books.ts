/** What the gateway keeps in a warehouse (`_millrace`): tokens, the audit log, announced commits. */

export interface NewToken {
  readonly project: string;
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the secret part, hex. */
  readonly hash: string;
  readonly role: string | undefined;
  /** `api`, `api:<name>`, `changes`, `ingest`, `ingest:<connection>`, `trigger:<name>`, `metrics`. */
  readonly scopes: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  readonly expiresAt: Date | undefined;
}

export interface BookedToken extends NewToken {
  readonly createdAt: Date;
  readonly revokedAt: Date | undefined;
}

/** One line of the audit log. Values of rows and secrets are not in it. */
export interface AuditEntry {
  readonly project: string;
  /** Token's id, JWT's issuer and subject, a person's account, or `anonymous`. */
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly result: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** When it was; by default when it is booked. */
  readonly at?: Date;
}

/** A line as it is booked. */
export interface BookedAudit extends AuditEntry {
  /** Its place in the log of the project, from 1. */
  readonly no: string;
  readonly at: Date;
}

/** A commit to a table, in the order in which commits became visible. */
export interface Change {
  readonly id: string;
  readonly project: string;
  /** `schema.table` */
  readonly dataset: string;
  /** The pipeline or model that committed. */
  readonly name: string;
  readonly loadId: string | null;
  readonly rows: number;
  readonly at: string;
}

export interface ChangesListener {
  /** A commit was announced; never twice, in order. */
  onChange(change: Change): void;
  /** False while commits may be missed; true again once those missed were given to `onChange`. */
  onLive(live: boolean): void;
}

/** Used by many callers at once, for as long as the gateway runs. */
export interface GatewayBooks extends AsyncDisposable {
  /** Makes or migrates the books. */
  check(): Promise<void>;
  createToken(token: NewToken): Promise<void>;
  listTokens(project: string): Promise<readonly BookedToken[]>;
  /** False when there is no such token that is live. */
  revokeToken(project: string, id: string): Promise<boolean>;
  findToken(project: string, id: string): Promise<BookedToken | undefined>;
  /** Appends; each entry carries the hash of the one before it. */
  audit(entries: readonly AuditEntry[]): Promise<void>;
  /** The latest entries, the latest first. */
  listAudit(project: string, limit: number): Promise<readonly BookedAudit[]>;
  /** Number of entries; throws `rejected` naming the first one whose hash is wrong. */
  verifyAudit(project: string): Promise<number>;
  /** Removes entries older than this many milliseconds; the chain begins anew behind them. */
  retainAudit(project: string, age: number): Promise<void>;
  /** Changes after an id, oldest first; of all projects. */
  changesAfter(id: string, limit: number): Promise<readonly Change[]>;
  /** The latest id; `0` when there is none. */
  latestChange(): Promise<string>;
  /** The latest id that is kept no longer: who read up to an earlier one may have missed some. `0` when all are there. */
  forgottenChange(): Promise<string>;
  /**
   * Listens until disposed, over a connection of its own that is opened again when it breaks. Gives all changes after an id; by default
   * those after its first connection.
   */
  listen(listener: ChangesListener, after?: string): Promise<AsyncDisposable>;
}
