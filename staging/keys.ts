/** The keys that staged files are encrypted with. */
export interface StagingKeys {
  /** Id of the key that encrypts; the others only decrypt. */
  readonly current: string;
  /** Keys of 32 bytes by id. */
  readonly byId: ReadonlyMap<string, Uint8Array>;
}
