import assert from 'node:assert/strict';
import { createLogger, logLevel, type LogLevelName } from '../../worker/logs.ts';
import { loadOf } from '../../worker/log-place.ts';
import { createScrubber } from '../../worker/secrets.ts';

function record(level: LogLevelName = 'info', pretty = false) {
  const lines: string[] = [];
  const scrub = createScrubber(['s3cret-password']);
  const logger = createLogger({ project: 'acme', level, pretty, scrub, write: (line) => lines.push(line) });
  return { logger, lines, json: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('the log', () => {
  it('is JSON lines that say project, pipeline, stream, load, step, workflow and run', () => {
    const { logger, json } = record();
    logger.warn('a step failed and is tried again', {
      workflowType: 'stream',
      workflowId: 'acme/shop/sales.orders',
      workflowRunId: 'r1',
      activityType: 'load',
      attempt: 2,
      load: 'l1',
      taskToken: 'x',
      code: 'unavailable',
    });
    const [line] = json();
    assert.deepEqual(
      { ...line, time: undefined, host: undefined, pid: undefined },
      {
        level: 'warn',
        time: undefined,
        host: undefined,
        pid: undefined,
        project: 'acme',
        pipeline: 'shop',
        stream: 'sales.orders',
        workflowType: 'stream',
        workflow: 'acme/shop/sales.orders',
        run: 'r1',
        step: 'load',
        attempt: 2,
        load: 'l1',
        code: 'unavailable',
        message: 'a step failed and is tried again',
      },
    );
    assert.match(String(line?.['time']), /^\d{4}-\d\d-\d\dT/);
  });

  it('knows the pipeline of a scheduled run', () => {
    const { logger, json } = record();
    logger.info('run ended', { workflowType: 'pipeline', workflowId: 'acme/shop-2026-01-02T03:04:05Z' });
    assert.equal(json()[0]?.['pipeline'], 'shop');
  });

  it('holds no secret, wherever it stands', () => {
    const { logger, lines } = record();
    logger.error('connecting with s3cret-password', {
      detail: 'postgres://u:other@h/d s3cret-password',
      error: new Error('s3cret-password'),
    });
    assert.doesNotMatch(lines.join(''), /s3cret|other@/);
    assert.ok(JSON.parse(lines[0] ?? ''));
  });

  it('leaves out what is no plain value: arguments, results and rows', () => {
    const { logger, lines } = record();
    logger.info('x', { args: [{ row: 'value-of-a-row' }], error: Object.assign(new Error('sentence'), { detail: 'value-of-a-row' }) });
    assert.doesNotMatch(lines.join(''), /value-of-a-row/);
    assert.match(lines.join(''), /sentence/);
  });

  it('says as much as MILLRACE_LOG_LEVEL asks for', () => {
    const { logger, lines } = record('warn');
    logger.info('not this');
    logger.warn('this');
    assert.equal(lines.length, 1);
    assert.equal(logLevel({ MILLRACE_LOG_LEVEL: 'DEBUG' }, 'info'), 'debug');
    assert.equal(logLevel({}, 'info'), 'info');
    assert.throws(() => logLevel({ MILLRACE_LOG_LEVEL: 'loud' }, 'info'), /MILLRACE_LOG_LEVEL is loud: it can be trace, debug/);
  });

  it('is a readable line in a terminal', () => {
    const { logger, lines } = record('info', true);
    logger.warn('a step failed', {
      workflowType: 'stream',
      workflowId: 'acme/shop/orders',
      activityType: 'load',
      error: 'no server\n at x',
    });
    assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d warn {2}a step failed \(shop\/orders, load\): no server\n$/);
  });

  it("finds the load in every step's input", () => {
    const plan = { store: 's', name: 'acme/shop/orders/l1/plan', format: {}, rows: 1 };
    assert.equal(loadOf({ run: {}, loadId: 'l1' }), 'l1');
    assert.equal(loadOf({ plan, no: 1 }), 'l1');
    assert.equal(loadOf(plan), 'l1');
    assert.equal(loadOf({ project: 'acme', name: 'shop' }), undefined);
  });
});
