import { hostname } from 'node:os';
import type { Logger, LogLevel, LogMetadata } from '@temporalio/worker';
import pino from 'pino';
import { MillraceError } from '../schema/errors.ts';
import { placeOfWorkflow } from './log-place.ts';

const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevelName = (typeof logLevels)[number];

export interface LogOptions {
  readonly project: string;
  readonly level: LogLevelName;
  /** Removes secrets of a line. */
  scrub(text: string): string;
  /** One line for people instead of JSON. */
  readonly pretty?: boolean;
  write(line: string): void;
}

/** The level that `MILLRACE_LOG_LEVEL` asks for. Throws `config` naming those there are. */
export function logLevel(environment: NodeJS.ProcessEnv, otherwise: LogLevelName): LogLevelName {
  const wanted = environment['MILLRACE_LOG_LEVEL']?.toLowerCase() ?? '';
  if (wanted === '') return otherwise;
  const found = logLevels.find((level) => level === wanted);
  if (found !== undefined) return found;
  throw new MillraceError('config', `MILLRACE_LOG_LEVEL is ${wanted}: it can be ${logLevels.join(', ')}`);
}

type Fields = Readonly<Record<string, unknown>>;

/** Names of Temporal's fields in our lines; what isn't a plain value and not named here is left out, so that no payload gets into a log. */
const names: Readonly<Record<string, string>> = {
  workflowId: 'workflow',
  workflowRunId: 'run',
  runId: 'run',
  activityType: 'step',
  sdkComponent: 'component',
  queryType: 'query',
};
const leftOut = new Set([
  'taskToken',
  'activityId',
  'isLocal',
  'namespace',
  'taskQueue',
  'subsystem',
  'span_contexts',
  'target',
  'project',
]);

/** An error as its kind and sentence, without the payloads that a failure may carry; its stack where it is a bug. */
function errorFields(error: unknown): Fields {
  if (!(error instanceof Error)) return typeof error === 'string' ? { error } : {};
  const kind = 'type' in error && typeof error.type === 'string' ? error.type : error.name;
  return { code: kind, error: error.message };
}

function fieldsOf({ error, ...meta }: LogMetadata): Fields {
  const plain = Object.entries(meta).flatMap(([key, value]: [string, unknown]): [string, unknown][] => {
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return isPlain && !leftOut.has(key) ? [[names[key] ?? key, value]] : [];
  });
  const { pipeline, stream } = placeOfWorkflow(meta['workflowType'], meta['workflowId']);
  return {
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(stream === undefined ? {} : { stream }),
    ...Object.fromEntries(plain),
    ...errorFields(error),
  };
}

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? `${value}` : '');

/** `12:00:01 warn  step failed (shop/orders, load): the reason` */
function prettyLine(level: string, message: string, { pipeline, stream, step, workflowType, error }: Fields): string {
  const where = [[pipeline, stream].map(text).filter(Boolean).join('/'), text(step ?? workflowType)].filter(Boolean).join(', ');
  const reason = text(error).split('\n')[0] ?? '';
  const time = new Date().toTimeString().slice(0, 8);
  return `${time} ${level.padEnd(5)} ${message}${where === '' ? '' : ` (${where})`}${reason === '' ? '' : `: ${reason}`}\n`;
}

/** The worker's log: JSON lines with project, pipeline, stream, load, workflow and run where they are known; no secrets, no values of rows. */
export function createLogger(options: LogOptions): Logger {
  const write = (line: string): void => options.write(options.scrub(line));
  const json = pino(
    {
      level: options.level,
      base: { host: hostname(), pid: process.pid, project: options.project },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
    },
    { write },
  );
  const put = (level: LogLevelName, message: string, meta: LogMetadata = {}): void => {
    if (!json.isLevelEnabled(level)) return;
    if (options.pretty === true) write(prettyLine(level, message, fieldsOf(meta)));
    else json[level](fieldsOf(meta), message);
  };
  const lower: Readonly<Record<LogLevel, LogLevelName>> = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' };
  return {
    log: (level, message, meta) => put(lower[level], message, meta),
    trace: (message, meta) => put('trace', message, meta),
    debug: (message, meta) => put('debug', message, meta),
    info: (message, meta) => put('info', message, meta),
    warn: (message, meta) => put('warn', message, meta),
    error: (message, meta) => put('error', message, meta),
  };
}
