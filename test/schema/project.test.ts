import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { projectFileSchema } from '../../client/project/schema.ts';
import { connectionKinds } from '../../connectors/settings.ts';
import { asJsonSchema, type JsonSchema } from '../../docs/json-schema.ts';
import { stepSchema } from '../../schema/step.ts';

/** Paths of properties without a description, and of objects that take unknown names. */
function faults(schema: JsonSchema, path: string): readonly string[] {
  const properties = Object.entries(schema.properties ?? {});
  const open = schema.properties !== undefined && schema.additionalProperties !== false ? [`${path} is open`] : [];
  return [
    ...open,
    ...properties.filter(([, one]) => (one.description ?? '') === '').map(([name]) => `${path}.${name} has no description`),
    ...properties.flatMap(([name, one]) => faults(one, `${path}.${name}`)),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((one) => faults(one, path)),
    ...(schema.items === undefined ? [] : faults(schema.items, `${path}[]`)),
    ...(typeof schema.additionalProperties === 'object' ? faults(schema.additionalProperties, `${path}.*`) : []),
  ];
}

describe('the schema of the project file', () => {
  it('describes every field, and takes no unknown names', () => {
    const schemas = { project: projectFileSchema, step: stepSchema };
    const found = Object.entries(schemas).flatMap(([name, schema]) => faults(asJsonSchema(schema), name));
    const read = Object.entries(connectionKinds).flatMap(([type, kind]) => faults(asJsonSchema(kind.readOptions), type));
    assert.deepEqual([...found, ...read], []);
  });

  it('a field without a description, or an open object, would be found', () => {
    const bad: JsonSchema = { properties: { a: { properties: { b: { type: 'string' } } } }, additionalProperties: false };
    assert.deepEqual(faults(bad, 'x'), ['x.a has no description', 'x.a is open', 'x.a.b has no description']);
  });

  it('is what the reference pages and the editor schema say', async () => {
    await promisify(execFile)(process.execPath, ['--import', 'tsx', 'docs/generate.ts', '--check']);
  });
});
