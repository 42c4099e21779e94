import assert from 'node:assert/strict';
import { parseCadence, parseDuration, parseShare, parseSize } from '../../schema/quantity.ts';
import { isCron, scheduleSettings, toSchedule } from '../../schema/schedule.ts';

describe('quantities', () => {
  it('durations are milliseconds', () => {
    assert.deepEqual(
      ['15 minutes', '90s', '1h 30m', '1.5 hours', '2 days', '1 week', '250ms', 'ten minutes', '5', '0s', '5 m x', ''].map(parseDuration),
      [900_000, 90_000, 5_400_000, 5_400_000, 172_800_000, 604_800_000, 250, undefined, undefined, undefined, undefined, undefined],
    );
    assert.deepEqual(['daily', 'Hourly', '6 hours'].map(parseCadence), [86_400_000, 3_600_000, 21_600_000]);
  });

  it('sizes are bytes', () => {
    assert.deepEqual(['64 MB', '1.5KB', '1gb', '64', '0 MB'].map(parseSize), [67_108_864, 1536, 1_073_741_824, undefined, undefined]);
  });

  it('shares are parts of one', () => {
    assert.deepEqual(['10%', '0.5 %', '100%', '101%', '10'].map(parseShare), [0.1, 0.005, 1, undefined, undefined]);
  });
});

describe('schedules', () => {
  it('intervals are read', () => {
    assert.deepEqual(
      ['every 15 minutes', 'every hour', 'every 2 days'].map((text) => toSchedule(text).when),
      [{ every: 900_000 }, { every: 3_600_000 }, { every: 172_800_000 }],
    );
  });

  it('cron is checked field by field', () => {
    const good = ['0 5 * * 1-5', '*/15 * * * *', '0 0 1,15 jan-mar sun', '5-55/10 0 * * 7', '@daily'];
    const bad = [
      '* * * *',
      '60 * * * *',
      '0 24 * * *',
      '0 0 0 * *',
      '0 0 * 13 *',
      '*/0 * * * *',
      '0 0 * * mo',
      'daily',
      '* * * * * *',
      '5-1 * * * *',
      '0 0 * * 6-1',
    ];
    assert.deepEqual(
      good.filter((text) => !isCron(text)),
      [],
    );
    assert.deepEqual(bad.filter(isCron), []);
  });

  it('what is neither is refused', () => {
    for (const bad of [
      'every',
      'every 5',
      'every 10ms',
      'sometimes',
      { every: '1h', cron: '* * * * *' },
      { cron: '* * * * *', timezone: 'Mars' },
    ]) {
      assert.equal(scheduleSettings.safeParse(bad).success, false, JSON.stringify(bad));
    }
  });
});
