import type { FakeAnswer } from './fake.ts';
import { inputsOf, invalid, isAnswer, noType, refuse, type Recorder } from './hubspot-batches.ts';
import type { FakeRecords } from './hubspot-records.ts';

interface Pair {
  readonly from: { readonly id: string };
  readonly to: { readonly id: string } | readonly { readonly id: string }[];
  readonly types?: readonly { readonly associationCategory: string; readonly associationTypeId: number }[];
}

interface Ends {
  readonly from: string;
  readonly to: string;
}

interface FakeList {
  readonly listId: string;
  readonly name: string;
  readonly objectTypeId: string;
  readonly processingType: 'MANUAL' | 'DYNAMIC' | 'SNAPSHOT';
  readonly members: Set<string>;
}

/** Lists and associations: what binds records. */
export class FakeMemberships {
  readonly lists = new Map<string, FakeList>();
  readonly pairs = new Set<string>();
  readonly #records: (type: string) => FakeRecords | undefined;

  constructor(records: (type: string) => FakeRecords | undefined) {
    this.#records = records;
  }

  addList(listId: string, name: string, processingType: FakeList['processingType'] = 'MANUAL', objectTypeId = '0-1'): FakeList {
    const list: FakeList = { listId, name, objectTypeId, processingType, members: new Set() };
    this.lists.set(listId, list);
    return list;
  }

  readList(listId: string): FakeAnswer {
    const list = this.lists.get(listId);
    if (list === undefined) return noList(listId);
    const { members, ...described } = list;
    return { status: 200, body: { list: { ...described, size: members.size } } };
  }

  changeList(listId: string, isAdd: boolean, body: unknown, record: Recorder): FakeAnswer {
    const list = this.lists.get(listId);
    if (list === undefined) return noList(listId);
    if (list.processingType === 'DYNAMIC') return invalid('Memberships of a DYNAMIC list cannot be updated manually.');
    if (!Array.isArray(body) || body.length > 100_000) return invalid('Invalid input JSON: expected at most 100000 record ids');
    const ids = [...new Set(body.map(String))];
    const known = this.#records(list.objectTypeId)?.byId;
    const missing = ids.filter((id) => !known?.has(id));
    const changed = ids.filter((id) => !missing.includes(id) && list.members.has(id) !== isAdd);
    for (const id of changed) this.#change(list, id, isAdd, record);
    const [recordsIdsAdded, recordIdsRemoved] = isAdd ? [changed, []] : [[], changed];
    return { status: 200, body: { recordsIdsAdded, recordIdsRemoved, recordIdsMissing: missing } };
  }

  #change({ listId, members, objectTypeId }: FakeList, id: string, isAdd: boolean, record: Recorder): void {
    if (isAdd) members.add(id);
    else members.delete(id);
    const records = this.#records(objectTypeId);
    const key = records?.byId.get(id)?.properties[records.type.key] ?? id;
    record({ operation: isAdd ? 'add' : 'remove', object: `lists/${listId}`, id, key, fields: {} });
  }

  handlePairs([from, to]: readonly [string, string], verb: string, body: unknown, record: Recorder): FakeAnswer {
    const [left, right] = [this.#records(from), this.#records(to)];
    if (left === undefined || right === undefined) return noType(left === undefined ? from : to);
    const inputs = inputsOf<Pair>(body, 2000);
    if (isAnswer(inputs)) return inputs;
    const object = `associations/${left.type.name}/${right.type.name}`;
    const pairs = inputs.flatMap((pair) => [pair.to].flat().map((target) => ({ from: pair.from.id, to: target.id })));
    if (verb === 'archive' || verb === 'labels') {
      for (const pair of pairs) this.#bind(object, pair, false, record);
      return { status: 204 };
    }
    const isThere = (pair: Ends): boolean => left.byId.has(pair.from) && right.byId.has(pair.to);
    for (const pair of pairs.filter(isThere)) this.#bind(object, pair, true, record);
    return answerOf(pairs, isThere, verb);
  }

  #bind(object: string, { from, to }: Ends, isAdd: boolean, record: Recorder): void {
    const id = `${from}:${to}`;
    if (this.pairs.has(`${object} ${id}`) === isAdd) return;
    if (isAdd) this.pairs.add(`${object} ${id}`);
    else this.pairs.delete(`${object} ${id}`);
    record({ operation: isAdd ? 'add' : 'remove', object, id, key: id, fields: {} });
  }
}

function answerOf(pairs: readonly Ends[], isThere: (pair: Ends) => boolean, verb: string): FakeAnswer {
  const errors = pairs.filter((pair) => !isThere(pair)).map(errorOf);
  const body = { status: 'COMPLETE', results: pairs.filter(isThere).map((pair) => resultOf(pair, verb)) };
  if (errors.length > 0) return { status: 207, body: { ...body, numErrors: errors.length, errors } };
  return { status: verb === 'create' ? 201 : 200, body };
}

const errorOf = ({ from, to }: Ends): unknown => ({
  status: 'error',
  category: 'OBJECT_NOT_FOUND',
  message: 'One or more records do not exist',
  context: { fromObjectId: [from], toObjectId: [to] },
});

/** Labelled associations are told by numbers, others by their ends. */
const resultOf = ({ from, to }: Ends, verb: string): unknown =>
  verb === 'create' ? { fromObjectId: Number(from), toObjectId: Number(to), labels: [] } : { from: { id: from }, to: { id: to } };

const noList = (listId: string): FakeAnswer =>
  refuse({ status: 404, category: 'OBJECT_NOT_FOUND', message: `List does not exist with ID ${listId}.` });
