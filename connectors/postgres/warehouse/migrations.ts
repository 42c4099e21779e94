/**
 * The books, version by version: entry n − 1 takes them from version n − 1 to n. An entry never changes once released; it may only
 * add, so that workers of the version before go on working until they are replaced.
 */
export const migrations: readonly string[] = [
  `
CREATE TABLE _millrace.state (
  project text NOT NULL, pipeline text NOT NULL, stream text NOT NULL,
  version bigint NOT NULL, generation bigint NOT NULL, cursor text, fingerprint jsonb,
  load_id uuid, updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (project, pipeline, stream));
COMMENT ON TABLE _millrace.state IS 'Where each stream stands: its cursor moves only in the transaction that delivers the rows.';

CREATE TABLE _millrace.fence (
  project text NOT NULL, pipeline text NOT NULL, stream text NOT NULL,
  epoch bigint NOT NULL, load_id uuid, rebuild boolean NOT NULL, ordered boolean NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (project, pipeline, stream));
COMMENT ON TABLE _millrace.fence IS 'The load that may write a stream; a later load raises the epoch and shuts earlier ones out.';

CREATE TABLE _millrace.loads (
  load_id uuid PRIMARY KEY,
  project text NOT NULL, pipeline text NOT NULL, stream text NOT NULL,
  target_schema text NOT NULL, target_table text NOT NULL, mode text NOT NULL,
  generation bigint NOT NULL, version bigint NOT NULL, epoch bigint NOT NULL,
  cursor text, complete boolean NOT NULL,
  read bigint NOT NULL, loaded bigint NOT NULL, rejected bigint NOT NULL,
  filtered bigint NOT NULL, duplicates bigint NOT NULL, unchanged bigint NOT NULL, deleted bigint NOT NULL,
  files integer NOT NULL, checksum text NOT NULL, notes text[] NOT NULL,
  workflow_id text NOT NULL, run_id text NOT NULL, committed_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT books_balance CHECK (read = loaded + rejected + filtered + duplicates + unchanged));
CREATE INDEX loads_by_stream ON _millrace.loads (project, pipeline, stream, committed_at);
COMMENT ON TABLE _millrace.loads IS 'Every committed load with its rows: read = loaded + rejected + filtered + duplicates + unchanged.';

CREATE TABLE _millrace.load_files (
  load_id uuid NOT NULL, file_no integer NOT NULL, rows bigint NOT NULL, bytes bigint NOT NULL, sha256 text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (load_id, file_no));
COMMENT ON TABLE _millrace.load_files IS 'Staged files that stand in the table of their load, written in the transaction of their rows.';
CREATE UNLOGGED TABLE _millrace.load_files_unlogged (LIKE _millrace.load_files INCLUDING ALL);
COMMENT ON TABLE _millrace.load_files_unlogged IS 'The same for unlogged tables of loads: a crash of the server empties both.';

CREATE TABLE _millrace.failures (
  load_id uuid PRIMARY KEY, project text NOT NULL, pipeline text NOT NULL, stream text NOT NULL,
  reason text NOT NULL, rejected bigint NOT NULL, workflow_id text NOT NULL, run_id text NOT NULL,
  at timestamptz NOT NULL DEFAULT now());
CREATE INDEX failures_by_stream ON _millrace.failures (project, pipeline, stream, at);
COMMENT ON TABLE _millrace.failures IS 'Loads that were given up; nothing of theirs but a sample of rejections is in the warehouse.';

CREATE TABLE _millrace.rejections (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  project text NOT NULL, pipeline text NOT NULL, stream text NOT NULL, load_id uuid NOT NULL,
  "partition" text, file text, "position" text, key text, "column" text, rule text, reason text, "row" text,
  at timestamptz NOT NULL DEFAULT now(), closed_at timestamptz, closed_by uuid);
CREATE INDEX rejections_by_stream ON _millrace.rejections (project, pipeline, stream, at);
CREATE INDEX rejections_open ON _millrace.rejections (project, pipeline, stream, key) WHERE closed_at IS NULL;
COMMENT ON TABLE _millrace.rejections IS 'Rows that were refused, as they were read, at most 1000 for each rule and load; open until closed_at.';

CREATE TABLE _millrace.tables (
  table_schema text NOT NULL, table_name text NOT NULL,
  project text NOT NULL, pipeline text NOT NULL, stream text NOT NULL,
  adopted boolean NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (table_schema, table_name));
COMMENT ON TABLE _millrace.tables IS 'Tables that Millrace made or was told to adopt; it writes no others.';
`,
  `
ALTER TABLE _millrace.state ADD COLUMN reconciled_at timestamptz;
COMMENT ON COLUMN _millrace.state.reconciled_at IS 'The last commit that was made from a complete read of the stream or of its keys.';
`,
];
