import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parse } from 'yaml';
import { findingsOf } from '../../client/project/rules.ts';
import { projectFileSchema } from '../../client/project/schema.ts';
import { validate } from '../../client/project/validate.ts';
import { problems, filesProject } from './project-kit.ts';

const text = filesProject(`into: movies
max_rejected: 5%
contract: { columns: freeze }
transform:
  - trim: all
  - nullif: ["", N/A]
  - cast: { budget: "decimal(14,2)", day: { to: date, format: "%d.%m.%Y" } }
  - expect: { title: { not_null: true } }`);

/** The paths of all values in a value. */
function paths(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, one]) => paths(one, [...path, name]))];
}

function replaced(value: unknown, [name, ...rest]: readonly string[], by: unknown): unknown {
  if (name === undefined) return by;
  const copy: object = Array.isArray(value) ? [...value] : { ...Object(value) };
  Reflect.set(copy, name, replaced(Reflect.get(copy, name), rest, by));
  return copy;
}

describe('project file: whatever it holds', () => {
  it('any value in any place is taken or explained in sentences', () => {
    const valid: unknown = parse(text);
    const names = fc.constantFrom('constructor', 'type', 'cron', 'to', 'sql', 'columns');
    const value = fc.oneof(fc.jsonValue(), fc.dictionary(names, fc.jsonValue()));
    fc.assert(
      fc.property(fc.constantFrom(...paths(valid)), value, (path, by) => {
        const validated = validate(projectFileSchema, replaced(valid, path, by));
        const findings = 'findings' in validated ? validated.findings : findingsOf(validated.value);
        if ('findings' in validated) assert.ok(findings.length > 0);
        for (const { message } of findings) assert.match(message, /^(is|has|must|names|needs|holds|tells|means|goes|finds) /);
      }),
      { numRuns: 1000 },
    );
  });

  it('any letters in any place are taken or are an error with line and column', async () => {
    const letters = fc.constantFrom(
      '*',
      '&',
      '!',
      '@',
      '%',
      '`',
      '{',
      '}',
      '[',
      ']',
      ': ',
      ' #',
      '"',
      "'",
      '\t',
      '\n',
      '- ',
      '? ',
      ', ',
      '|',
      '>',
      '<<: ',
      '---\n',
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length), letters, async (at, inserted) => {
        for (const line of await problems(text.slice(0, at) + inserted + text.slice(at))) assert.match(line, /^millrace\.yaml:\d+:\d+: \S/);
      }),
      { numRuns: 300 },
    );
  });
});
