-- A role that reads a source and can do nothing else. Run in the source database as the owner of its tables or an administrator.
-- Put your names in place of millrace_source (the role), public (the schema) and app_owner (the role that makes tables there).
CREATE ROLE millrace_source LOGIN CONNECTION LIMIT 20 PASSWORD 'change me';
ALTER ROLE millrace_source SET default_transaction_read_only = on;

GRANT USAGE ON SCHEMA public TO millrace_source;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO millrace_source;
-- Tables that are made later, by their owner.
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA public GRANT SELECT ON TABLES TO millrace_source;

-- For cursors: Millrace must see when the oldest transaction of other sessions began, so that a late commit isn't missed.
-- Without it a stream with a cursor needs look_back. It shows statistics and sessions, no rows.
GRANT pg_read_all_stats TO millrace_source;
