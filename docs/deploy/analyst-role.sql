-- A role that reads what is loaded: grant it to people. It sees neither the books nor the rejected rows.
-- Run in the warehouse as an administrator, with your names in place of millrace_analyst, millrace_warehouse and shop.
CREATE ROLE millrace_analyst NOLOGIN;

GRANT USAGE ON SCHEMA shop TO millrace_analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO millrace_analyst;
-- Tables that loads make later.
ALTER DEFAULT PRIVILEGES FOR ROLE millrace_warehouse IN SCHEMA shop GRANT SELECT ON TABLES TO millrace_analyst;
