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

/** The gateway's log: JSON lines, or lines for people. */
export function createGatewayLog(options: LogOptions): GatewayLog {
  const { project, level, pretty } = options;
  const write = (line: string): void => options.write(options.scrub(line));
  const json = pino(
    {
      level,
      base: { host: hostname(), pid: process.pid, project },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
    },
    { write },
  );
  const put = (name: 'info' | 'warn' | 'error', fields: Fields, message: string): void => {
    if (!json.isLevelEnabled(name)) return;
    if (pretty === true) write(prettyLine(name, message, fields));
    else json[name](fields, message);
  };
  return {
    info: (fields, message) => put('info', fields, message),
    warn: (fields, message) => put('warn', fields, message),
    error: (fields, message) => put('error', fields, message),
  };
}
