import { hostname } from 'node:os';
import pino from 'pino';
import type { GatewayLog } from '../gateway/context.ts';
import type { LogOptions } from './logs.ts';

type Fields = Readonly<Record<string, unknown>>;

/** `12:00:01 info  the gateway listens (address http://127.0.0.1:8088)` */
function prettyLine(level: string, message: string, fields: Fields): string {
  const shown = Object.entries(fields).filter(([, value]) => value !== undefined);
  const details = shown.map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`).join(', ');
  return `${new Date().toTimeString().slice(0, 8)} ${level.padEnd(5)} ${message}${details === '' ? '' : ` (${details})`}\n`;
}

/** Milliseconds that a line waits for more, and characters that wait at most. */
const longestWait = 20;
const mostWaiting = 64 * 1024;

interface Lines {
  add(line: string): void;
  /** Writes what waits. */
  flush(): void;
}

/** Gathers lines: to scrub and write each by itself would take longer than to answer from what is kept. */
function gatherLines({ scrub, write }: Pick<LogOptions, 'scrub' | 'write'>): Lines {
  let waiting = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const text = waiting;
    waiting = '';
    if (text !== '') write(scrub(text));
  };
  return {
    add(line) {
      waiting += line;
      if (waiting.length > mostWaiting) flush();
      else timer ??= setTimeout(flush, longestWait);
    },
    flush,
  };
}

/** The gateway's log: JSON lines, or lines for people. Warnings and errors are written at once, others within some milliseconds. */
export function createGatewayLog(options: LogOptions): GatewayLog {
  const { project, level, pretty } = options;
  const lines = gatherLines(options);
  const json = pino(
    {
      level,
      base: { host: hostname(), pid: process.pid, project },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
    },
    { write: (line: string) => lines.add(line) },
  );
  const put = (name: 'info' | 'warn' | 'error', fields: Fields, message: string): void => {
    if (!json.isLevelEnabled(name)) return;
    if (pretty === true) lines.add(prettyLine(name, message, fields));
    else json[name](fields, message);
    if (name !== 'info') lines.flush();
  };
  return {
    info: (fields, message) => put('info', fields, message),
    warn: (fields, message) => put('warn', fields, message),
    error: (fields, message) => put('error', fields, message),
  };
}
