import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { createGatewayLog } from '../../worker/gateway-log.ts';
import type { LogOptions } from '../../worker/logs.ts';
import { until } from '../gateway-kit.ts';

describe("the gateway's log", () => {
  const open = (more: Partial<LogOptions> = {}): { readonly log: ReturnType<typeof createGatewayLog>; readonly written: string[] } => {
    const written: string[] = [];
    const scrub = (text: string): string => text.replaceAll('hunter2', '***');
    const log = createGatewayLog({ project: 'shop', level: 'info', scrub, write: (text) => void written.push(text), ...more });
    return { log, written };
  };
  const linesOf = (written: readonly string[]): readonly Record<string, unknown>[] =>
    written
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));

  it('has a line of JSON for each entry, in their order, with when it was made and without secrets', async () => {
    const { log, written } = open();
    const before = Date.now();
    for (let no = 0; no < 450; no += 1) log.info({ no, gone: undefined, text: '"hunter2"\n' }, 'request');
    const after = Date.now();
    await until(() => linesOf(written).length === 450);
    linesOf(written).forEach(({ time, pid, ...line }, no) => {
      assert.deepEqual(line, { level: 'info', host: hostname(), project: 'shop', no, text: '"***"\n', message: 'request' });
      assert.equal(pid, process.pid);
      const at = Date.parse(String(time));
      assert.ok(at >= before && at <= after);
    });
  });

  it('has warnings and errors at once, after what came before them', () => {
    const { log, written } = open();
    log.info({}, 'first');
    assert.deepEqual(written, []);
    log.warn({}, 'second');
    log.error({ error: 'broken' }, 'third');
    assert.deepEqual(
      linesOf(written).map(({ level, message }) => [level, message]),
      [
        ['info', 'first'],
        ['warn', 'second'],
        ['error', 'third'],
      ],
    );
  });

  it('leaves out what is below its level', () => {
    const { log, written } = open({ level: 'warn' });
    log.info({}, 'request');
    log.warn({}, 'slow');
    assert.deepEqual(
      linesOf(written).map(({ message }) => message),
      ['slow'],
    );
  });

  it('has lines for people', () => {
    const { log, written } = open({ pretty: true });
    log.warn({ api: 'customers', missing: undefined, key: ['id'] }, 'is gone');
    assert.match(written.join(''), /^\d\d:\d\d:\d\d warn {2}is gone \(api customers, key \["id"\]\)\n$/);
  });
});
