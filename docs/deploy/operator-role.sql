-- A role that reads the books, and another that reads rejected rows, which are data: grant them to those who mend them.
-- Run in the warehouse as an administrator after the first load, with your names in place of millrace_operator and millrace_data_steward.
CREATE ROLE millrace_operator NOLOGIN;
GRANT USAGE ON SCHEMA _millrace TO millrace_operator;
GRANT SELECT ON _millrace.loads, _millrace.failures, _millrace.state, _millrace.tables, _millrace.version, _millrace.sync_runs TO millrace_operator;

CREATE ROLE millrace_data_steward NOLOGIN;
GRANT millrace_operator TO millrace_data_steward;
GRANT SELECT ON _millrace.rejections TO millrace_data_steward;
