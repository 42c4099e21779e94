/** What is asked of the local environment. */
export interface LocalOptions {
  /** The project's folder; everything local is kept in its `.millrace`. */
  readonly folder: string;
  /** The project's name, shown in the server's process list. */
  readonly project: string;
  /** Takes lines for the user: what is made, what is started, which port was taken. */
  readonly log: (line: string) => void;
  /** Which servers the project needs locally. */
  readonly need: { readonly postgres: boolean; readonly temporal: boolean };
  /** The environment to read instead of the process's own. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Settings of PostgreSQL beside or instead of Millrace's own. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
}

export interface LocalPostgres {
  /** The database `warehouse`, as its administrator; holds the password. */
  readonly url: string;
  readonly port: number;
  /** Started by this call; false when it ran already. */
  readonly started: boolean;
}

export interface LocalTemporal {
  readonly address: string;
  /** Unknown for a server that isn't ours, unless TEMPORAL_UI_URL says it. */
  readonly uiUrl: string | undefined;
  readonly started: boolean;
  /** Named by TEMPORAL_ADDRESS or a profile: never started, stopped or watched by Millrace. */
  readonly external: boolean;
}

export interface LocalServers {
  readonly postgres?: LocalPostgres;
  readonly temporal?: LocalTemporal;
}
