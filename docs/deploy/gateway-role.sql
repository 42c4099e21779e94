-- A role for the gateway: it reads what analysts read, knows tokens, hears of commits, writes the audit log, and can change nothing else.
-- Run in the warehouse as an administrator after the first load, and again after an upgrade, with your names in place of
-- millrace_gateway and millrace_analyst (the project file's gateway.role, from analyst-role.sql).
CREATE ROLE millrace_gateway LOGIN NOINHERIT CONNECTION LIMIT 50 PASSWORD 'change me';
-- What callers ask for, and the key of hash masks, are parameters of statements: the server's log of slow ones must not show them.
ALTER ROLE millrace_gateway SET log_parameter_max_length = 0;
DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO millrace_gateway', current_database()); END $$;
-- For gateway.role: millrace_analyst. NOINHERIT: outside of that it sees no dataset.
GRANT millrace_analyst TO millrace_gateway;

GRANT USAGE ON SCHEMA _millrace TO millrace_gateway;
GRANT SELECT ON _millrace.version, _millrace.api_tokens, _millrace.changes, _millrace.forgotten_changes TO millrace_gateway;
GRANT SELECT, INSERT, DELETE ON _millrace.audit TO millrace_gateway;
