import { hostname } from 'node:os';
import pino from 'pino';
import type { GatewayLog } from '../gateway/context.ts';
import type { LogOptions } from './logs.ts';

type Fields = Readonly<Record<string, unknown>>;

interface Entry {
  readonly level: 'info' | 'warn' | 'error';
  /** When it was made, in milliseconds of `Date.now()`. */
  readonly at: number;
  readonly fields: Fields;
  readonly message: string;
}

/** `12:00:01 info  the gateway listens (address http://127.0.0.1:8088)` */
function prettyLine({ level, at, fields, message }: Entry): string {
  const shown = Object.entries(fields).filter(([, value]) => value !== undefined);
  const details = shown.map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`).join(', ');
  return `${new Date(at).toTimeString().slice(0, 8)} ${level.padEnd(5)} ${message}${details === '' ? '' : ` (${details})`}\n`;
}

type LinesOf = (entries: readonly Entry[]) => string;

const prettyLines: LinesOf = (entries) => entries.map(prettyLine).join('');

function jsonLines({ project }: LogOptions): LinesOf {
  let lines = '';
  let at = 0;
  let time = '';
  const json = pino(
    {
      base: { host: hostname(), pid: process.pid, project },
      timestamp: () => time,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
    },
    { write: (line: string) => void (lines += line) },
  );
  return (entries) => {
    lines = '';
    for (const entry of entries) {
      if (entry.at !== at) time = `,"time":"${new Date(entry.at).toISOString()}"`;
      at = entry.at;
      json[entry.level](entry.fields, entry.message);
    }
    return lines;
  };
}

/** Milliseconds that an entry waits for more, and entries that wait at most. */
const longestWait = 20;
const mostWaiting = 200;

const ranks: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error'];

/**
 * The gateway's log: JSON lines, or lines for people. Warnings and errors are written at once, others within some milliseconds: to make,
 * scrub and write each line by itself would take longer than to answer from what is kept.
 */
export function createGatewayLog(options: LogOptions): GatewayLog {
  const linesOf = options.pretty === true ? prettyLines : jsonLines(options);
  let waiting: Entry[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const entries = waiting;
    waiting = [];
    options.write(options.scrub(linesOf(entries)));
  };
  const put = (level: Entry['level'], fields: Fields, message: string): void => {
    if (ranks.indexOf(level) < ranks.indexOf(options.level)) return;
    waiting.push({ level, at: Date.now(), fields, message });
    if (level !== 'info' || waiting.length >= mostWaiting) flush();
    else timer ??= setTimeout(flush, longestWait);
  };
  return {
    info: (fields, message) => put('info', fields, message),
    warn: (fields, message) => put('warn', fields, message),
    error: (fields, message) => put('error', fields, message),
  };
}
