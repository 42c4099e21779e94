import type { Effect, FakeAnswer } from './fake.ts';
import type { FakeRecord, FakeRecords, Refusal } from './hubspot-records.ts';

export type Recorder = (effect: Omit<Effect, 'at'>) => void;

interface Input {
  readonly id?: string;
  readonly idProperty?: string;
  readonly objectWriteTraceId?: string;
  readonly properties: Readonly<Record<string, string>>;
}

interface Written {
  readonly record: FakeRecord;
  readonly isNew: boolean;
}

const correlationId = 'aeb5f871-7f07-4993-9211-075dc63e7cbf';

export const refuse = ({ status, category, message }: { status: number; category: string; message: string }): FakeAnswer => ({
  status,
  body: { status: 'error', message, correlationId, category },
});

export const invalid = (message: string): FakeAnswer => refuse({ status: 400, category: 'VALIDATION_ERROR', message });

/** The `inputs` of a batch; the answer when they aren't a batch at all. */
export function inputsOf<T>(body: unknown, most = 100): readonly T[] | FakeAnswer {
  const inputs = (body as { inputs?: readonly T[] } | undefined)?.inputs;
  if (!Array.isArray(inputs)) return invalid('Invalid input JSON: some required fields were not set: [inputs]');
  if (inputs.length === 0) return invalid('inputs should not be empty');
  if (inputs.length > most) return invalid(`The maximum number of inputs supported in a batch request for object creations is ${most}`);
  return inputs as readonly T[];
}

export const isAnswer = (value: unknown): value is FakeAnswer => typeof value === 'object' && value !== null && 'status' in value;

/** Batches that write records: create, update and upsert. */
export class FakeBatches {
  #nextId = 1001;
  readonly #records: (type: string) => FakeRecords | undefined;

  constructor(records: (type: string) => FakeRecords | undefined) {
    this.#records = records;
  }

  nextId(): string {
    this.#nextId += 1;
    return String(this.#nextId);
  }

  write(type: string, verb: string, body: unknown, record: Recorder): FakeAnswer {
    const records = this.#records(type);
    if (records === undefined) return noType(type);
    const inputs = inputsOf<Input>(body);
    if (isAnswer(inputs)) return inputs;
    const malformed = this.#malformed(inputs, verb, records);
    if (malformed !== undefined) return malformed;
    const traces = inputs.map(({ objectWriteTraceId }) => objectWriteTraceId);
    const isMultiStatus = traces.every((trace) => trace !== undefined) && new Set(traces).size === traces.length;
    if (!isMultiStatus) {
      const refusal = inputs.map((input) => this.#refusal(input, verb, records)).find((found) => found !== undefined);
      if (refusal !== undefined) return refuse(refusal);
    }
    const done = inputs.map((input) => ({ input, written: this.#apply(input, verb, records, record) }));
    return answerOf(done, verb);
  }

  #malformed(inputs: readonly Input[], verb: string, records: FakeRecords): FakeAnswer | undefined {
    const ids = inputs.flatMap(({ id, idProperty, properties }) => {
      if (verb === 'create') return records.type.name === 'contacts' ? [properties['email']?.toLowerCase()] : [];
      return [`${idProperty ?? ''} ${idProperty === 'email' ? id?.toLowerCase() : id}`];
    });
    const values = inputs.flatMap(({ properties }) => Object.values(properties) as readonly unknown[]);
    if (values.some((value) => typeof value !== 'string'))
      return invalid('Invalid input JSON: Cannot deserialize value of type `java.lang.String`');
    const twice = ids.find((id, no) => id !== undefined && ids.indexOf(id) !== no);
    if (twice !== undefined) return invalid(`Duplicate IDs found in batch input: [${twice.trim()}]. IDs must be unique`);
    if (verb === 'create') return undefined;
    const foreign = inputs.find(({ idProperty }) => idProperty !== undefined && !records.isUnique(idProperty));
    if (foreign !== undefined) return invalid(`Property ${foreign.idProperty} is not a unique identifier property of ${records.singular}`);
    return undefined;
  }

  #refusal(input: Input, verb: string, records: FakeRecords): Refusal | undefined {
    const { id = '', idProperty } = input;
    const existing = existingOf(input, verb, records);
    const canCreate = verb === 'create' || (verb === 'upsert' && idProperty !== undefined);
    const message = `Object not found. objectId are usually numeric. [${id}] doesn't exist`;
    if (existing === undefined && !canCreate) return { status: 404, category: 'OBJECT_NOT_FOUND', message };
    const all = propertiesOf(input);
    const missing = existing === undefined ? records.missing(all) : undefined;
    return records.problem(all) ?? missing ?? records.taken(all, existing?.id);
  }

  #apply(input: Input, verb: string, records: FakeRecords, record: Recorder): Written | Refusal {
    const refusal = this.#refusal(input, verb, records);
    if (refusal !== undefined) return refusal;
    const existing = existingOf(input, verb, records);
    const written = records.put(existing?.id ?? this.nextId(), propertiesOf(input));
    record({
      operation: existing === undefined ? 'create' : 'update',
      object: records.type.name,
      id: written.id,
      key: written.properties[records.type.key] ?? written.id,
      fields: input.properties,
    });
    return { record: written, isNew: existing === undefined };
  }
}

const existingOf = ({ id = '', idProperty }: Input, verb: string, records: FakeRecords): FakeRecord | undefined =>
  verb === 'create' ? undefined : records.find(id, idProperty);

/** With the value that the record is found by. */
const propertiesOf = ({ id = '', idProperty, properties }: Input): Readonly<Record<string, string>> =>
  idProperty === undefined ? properties : { [idProperty]: id, ...properties };

function answerOf(done: readonly { input: Input; written: Written | Refusal }[], verb: string): FakeAnswer {
  const now = new Date().toISOString();
  const results: unknown[] = [];
  const errors: unknown[] = [];
  for (const { input, written } of done) {
    if ('record' in written) results.push(resultOf(written, input, verb, now));
    else {
      const { category, message } = written;
      errors.push({ status: 'error', category, message, context: { objectWriteTraceId: [input.objectWriteTraceId] } });
    }
  }
  const body = { status: 'COMPLETE', results, startedAt: now, completedAt: now };
  if (errors.length > 0) return { status: 207, body: { ...body, numErrors: errors.length, errors } };
  return { status: verb === 'create' ? 201 : 200, body };
}

function resultOf({ record, isNew }: Written, { objectWriteTraceId }: Input, verb: string, now: string): unknown {
  return {
    id: record.id,
    properties: record.properties,
    createdAt: new Date(record.createdAt).toISOString(),
    updatedAt: now,
    archived: false,
    ...(verb === 'upsert' ? { new: isNew } : {}),
    ...(objectWriteTraceId === undefined ? {} : { objectWriteTraceId }),
  };
}

export const noType = (type: string): FakeAnswer =>
  refuse({ status: 400, category: 'VALIDATION_ERROR', message: `Unable to infer object type from: ${type}` });
