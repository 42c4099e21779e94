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
  `
CREATE TABLE _millrace.syncs (
  sync_no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  project text NOT NULL, sync text NOT NULL,
  epoch bigint NOT NULL, run_id uuid, released boolean NOT NULL,
  address text, mapping text, at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (project, sync));
COMMENT ON TABLE _millrace.syncs IS 'Every sync: the run that may write its books (a later one raises the epoch), and what its ledger was sent to.';
COMMENT ON COLUMN _millrace.syncs.address IS 'The application''s object, the fields that find one there, and the model''s key: the ledger holds for these alone.';
COMMENT ON COLUMN _millrace.syncs.mapping IS 'Fields that were sent, in order.';

CREATE TABLE _millrace.ledger_rows (
  at timestamptz NOT NULL, sync_no integer NOT NULL, hash uuid NOT NULL, key text COLLATE "C" NOT NULL,
  remote_id text, match text, fields bigint[],
  PRIMARY KEY (sync_no, key)) WITH (fillfactor = 90);
COMMENT ON TABLE _millrace.ledger_rows IS 'What the application of each sync has acknowledged, row by row; to be read as _millrace.ledger.';

CREATE TABLE _millrace.sync_open_rows (
  sync_no integer NOT NULL, key text COLLATE "C" NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('sent', 'rejected', 'unknown', 'invalid')),
  change text, operation text, hash uuid, match text, fields bigint[], idempotency uuid,
  reason text, code text, request_id text, attempts integer NOT NULL, run_id uuid,
  first_at timestamptz NOT NULL, at timestamptz NOT NULL, next_at timestamptz,
  PRIMARY KEY (sync_no, key));
COMMENT ON TABLE _millrace.sync_open_rows IS 'Keys whose last outcome is no acknowledgement; to be read as _millrace.sync_open.';

CREATE TABLE _millrace.sync_runs (
  run_no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run_id uuid NOT NULL UNIQUE, sync_no integer NOT NULL,
  project text NOT NULL, sync text NOT NULL,
  status text NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')), failure text,
  planned bigint NOT NULL DEFAULT 0, sent bigint NOT NULL DEFAULT 0, acknowledged bigint NOT NULL DEFAULT 0,
  rejected bigint NOT NULL DEFAULT 0, unknown bigint NOT NULL DEFAULT 0, invalid bigint NOT NULL DEFAULT 0,
  plan jsonb, done int8multirange NOT NULL DEFAULT '{}',
  workflow_id text NOT NULL, workflow_run_id text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(), ended_at timestamptz,
  CONSTRAINT books_balance CHECK (sent = acknowledged + rejected + unknown AND sent <= planned));
CREATE INDEX sync_runs_by_sync ON _millrace.sync_runs (project, sync, started_at);
COMMENT ON TABLE _millrace.sync_runs IS 'Runs of syncs with their rows: sent = acknowledged + rejected + unknown, which is planned once a run has succeeded.';

CREATE TABLE _millrace.sync_log_rows (
  at timestamptz NOT NULL, run_no integer NOT NULL, sync_no integer NOT NULL,
  key text COLLATE "C" NOT NULL, operation text, outcome text NOT NULL, reason text, request_id text);
CREATE INDEX sync_log_rows_at ON _millrace.sync_log_rows USING brin (at) WITH (pages_per_range = 32);
COMMENT ON TABLE _millrace.sync_log_rows IS 'Every outcome of every row; to be read as _millrace.sync_log.';

CREATE TABLE _millrace.sync_removed (
  sync_no integer NOT NULL, key text COLLATE "C" NOT NULL, at timestamptz NOT NULL,
  PRIMARY KEY (sync_no, key));
COMMENT ON TABLE _millrace.sync_removed IS 'Keys that the ledger lost lately: what is created again under one is another request than before.';

CREATE VIEW _millrace.ledger AS
  SELECT s.project, s.sync, l.key, l.remote_id, l.at FROM _millrace.ledger_rows l JOIN _millrace.syncs s USING (sync_no);
COMMENT ON VIEW _millrace.ledger IS 'What the application of each sync has acknowledged, row by row.';
CREATE VIEW _millrace.sync_open AS
  SELECT s.project, s.sync, o.key, o.outcome, o.operation, o.reason, o.code, o.request_id, o.attempts, o.first_at, o.at, o.next_at
  FROM _millrace.sync_open_rows o JOIN _millrace.syncs s USING (sync_no);
COMMENT ON VIEW _millrace.sync_open IS 'Rows of syncs that were sent without an answer, rejected, unknown or invalid.';
CREATE VIEW _millrace.sync_log AS
  SELECT s.project, s.sync, r.run_id, l.key, l.operation, l.outcome, l.reason, l.request_id, l.at
  FROM _millrace.sync_log_rows l JOIN _millrace.syncs s USING (sync_no) LEFT JOIN _millrace.sync_runs r USING (run_no);
COMMENT ON VIEW _millrace.sync_log IS 'Every outcome of every row of syncs.';

CREATE FUNCTION _millrace.read_only(query text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('transaction_read_only', 'on', true);
  RETURN QUERY EXECUTE query;
EXCEPTION WHEN SQLSTATE 'ML000' THEN
  -- The handler makes a subtransaction of the block: where that ends, the transaction may write again.
  RAISE;
END $$;
REVOKE ALL ON FUNCTION _millrace.read_only(text) FROM PUBLIC;
COMMENT ON FUNCTION _millrace.read_only(text) IS 'The rows of a query that may not write.';
`,
  `
CREATE TABLE _millrace.limits (
  credential text PRIMARY KEY, version bigint NOT NULL, state jsonb NOT NULL, at timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 50);
COMMENT ON TABLE _millrace.limits IS 'What requests of each credential (its digest) have used of their limits; all workers keep to it.';

CREATE TABLE _millrace.tokens (
  credential text PRIMARY KEY, sealed bytea, at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE _millrace.tokens IS 'Tokens of each credential (its digest), encrypted under a key that is made of its configured secret.';
`,
  `
ALTER TABLE _millrace.syncs ADD COLUMN identity text;
COMMENT ON COLUMN _millrace.syncs.identity IS 'Where the application writes to: the ledger holds for this alone.';

ALTER TABLE _millrace.sync_runs ADD COLUMN jobs jsonb;
COMMENT ON COLUMN _millrace.sync_runs.jobs IS 'Jobs of the run that the application still works on, as far as anybody knows; the next run asks about them first.';
`,
  `
CREATE TABLE _millrace.api_tokens (
  project text NOT NULL, id text NOT NULL, name text NOT NULL, hash text NOT NULL,
  role text, scopes text[] NOT NULL, claims jsonb NOT NULL,
  expires_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(), revoked_at timestamptz,
  PRIMARY KEY (project, id));
COMMENT ON TABLE _millrace.api_tokens IS 'Tokens of the gateway: of the secret there is a SHA-256 alone.';

CREATE TABLE _millrace.audit (
  project text NOT NULL, no bigint NOT NULL, at timestamptz NOT NULL,
  actor text NOT NULL, action text NOT NULL, target text NOT NULL, result text NOT NULL, details jsonb NOT NULL,
  previous text NOT NULL, hash text NOT NULL,
  PRIMARY KEY (project, no));
COMMENT ON TABLE _millrace.audit IS 'Who did what through the gateway and its commands. Each entry has the hash of the one before it.';
CREATE FUNCTION _millrace.audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('millrace.retain', true) = 'on' THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON _millrace.audit FOR EACH ROW EXECUTE FUNCTION _millrace.audit_stays();
CREATE TRIGGER audit_stays_whole BEFORE TRUNCATE ON _millrace.audit FOR EACH STATEMENT EXECUTE FUNCTION _millrace.audit_stays();

CREATE TABLE _millrace.changes (
  id bigint PRIMARY KEY, project text NOT NULL, dataset text NOT NULL, name text NOT NULL,
  load_id uuid, rows bigint NOT NULL, at timestamptz NOT NULL);
CREATE INDEX changes_at ON _millrace.changes (at);
COMMENT ON TABLE _millrace.changes IS 'Commits to tables, in the order in which they became visible.';
CREATE SEQUENCE _millrace.change_ids;
CREATE FUNCTION _millrace.announce(project text, dataset text, name text, load_id uuid, rows bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE change _millrace.changes;
BEGIN
  -- Held to the end of the transaction: ids become visible in their order. So this is the last thing that a transaction does.
  PERFORM pg_advisory_xact_lock(hashtextextended('millrace.changes', 0));
  INSERT INTO _millrace.changes VALUES (nextval('_millrace.change_ids'), $1, $2, $3, $4, $5, clock_timestamp()) RETURNING * INTO change;
  PERFORM pg_notify('millrace_changes', row_to_json(change)::text);
END $$;
COMMENT ON FUNCTION _millrace.announce IS 'Books and announces a commit to a table, in the transaction that makes it.';

CREATE TABLE _millrace.forgotten_changes (project text PRIMARY KEY, change_id bigint NOT NULL);
COMMENT ON TABLE _millrace.forgotten_changes IS 'The latest change of each project that is kept no longer: who stopped reading before it has missed some.';

CREATE TABLE _millrace.webhook_cursors (
  project text NOT NULL, webhook text NOT NULL, change_id bigint NOT NULL, at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (project, webhook));
COMMENT ON TABLE _millrace.webhook_cursors IS 'Up to which change each outgoing webhook is done: taken by its address, or a dead letter.';
CREATE TABLE _millrace.dead_letters (
  project text NOT NULL, webhook text NOT NULL, change_id bigint NOT NULL, body text NOT NULL, reason text NOT NULL, attempts integer NOT NULL,
  at timestamptz NOT NULL DEFAULT now(), replayed_at timestamptz,
  PRIMARY KEY (project, webhook, change_id));
COMMENT ON TABLE _millrace.dead_letters IS 'What the address of an outgoing webhook never took.';
`,
];
