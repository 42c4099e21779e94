-- A role that loads a warehouse: it owns the books and the schemas that it fills, and may make no other schema.
-- Run in the warehouse as an administrator, with your names in place of millrace_warehouse (the role) and shop (a schema to be loaded).
CREATE ROLE millrace_warehouse LOGIN CONNECTION LIMIT 50 PASSWORD 'change me';

CREATE SCHEMA _millrace AUTHORIZATION millrace_warehouse;
CREATE SCHEMA shop AUTHORIZATION millrace_warehouse;
REVOKE ALL ON SCHEMA _millrace FROM PUBLIC;

-- Rejections pass through a temporary table. PUBLIC has this right unless it was taken away.
DO $$ BEGIN EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO millrace_warehouse', current_database()); END $$;

-- So that an error can name the session of another role that holds a lock. Shows statistics and sessions, no rows.
GRANT pg_read_all_stats TO millrace_warehouse;
