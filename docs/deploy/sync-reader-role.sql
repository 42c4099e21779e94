-- A role that reads what syncs have sent and what their applications refused, by key: grant it to people who may see those keys.
-- Run in the database of the books (the warehouse, or what "state" names) as an administrator after the first run, with your name in place of
-- millrace_sync_reader.
CREATE ROLE millrace_sync_reader NOLOGIN;
GRANT USAGE ON SCHEMA _millrace TO millrace_sync_reader;
GRANT SELECT ON _millrace.sync_runs, _millrace.ledger, _millrace.sync_open, _millrace.sync_log TO millrace_sync_reader;
