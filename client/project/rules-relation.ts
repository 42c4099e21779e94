import type { ApiSettings } from '../../schema/project-api.ts';
import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import { apiNamed, keyOfApi, pairsOf, publishersOf, warehouseOfApi } from './published-dataset.ts';
import type { ProjectFile } from './schema.ts';

type RelationSettings = NonNullable<ApiSettings['relations']>[string];

interface Place {
  readonly project: ProjectFile;
  readonly api: ApiSettings;
  readonly name: string;
  readonly path: Path;
}

/** What is wrong with an API's relations: what they lead to, by which columns, and who may follow them. */
export function relationFindings(project: ProjectFile, api: ApiSettings, path: Path): readonly Finding[] {
  return Object.entries(api.relations ?? {}).flatMap(([name, relation]) => {
    const place = { project, api, name, path: [...path, 'relations', name] };
    return [...otherFindings(relation, place), ...nameFindings(place), ...roleFindings(relation, place, path)];
  });
}

function otherFindings(relation: RelationSettings, { project, api, path }: Place): readonly Finding[] {
  const { api: other, dataset } = relation;
  if (pairsOf(relation).length === 0) return [wrong([...path, 'on'], 'must name at least one column.')];
  if (other === undefined && dataset === undefined)
    return [wrong(path, 'needs "dataset", as in "marts.orders", or "api": what it leads to.', 'name')];
  if (other !== undefined && dataset !== undefined)
    return [wrong([...path, 'dataset'], 'stands beside "api": a relation leads to one of them.')];
  return other === undefined
    ? publisherFindings(relation, publishers(project, api, dataset), path)
    : namedFindings(project, api, relation, path);
}

const publishers = (project: ProjectFile, api: ApiSettings, dataset = ''): readonly string[] =>
  publishersOf(project, dataset, warehouseOfApi(project, api));

function namedFindings(
  project: ProjectFile,
  api: ApiSettings,
  { api: name = '', fields }: RelationSettings,
  path: Path,
): readonly Finding[] {
  const other = apiNamed(project, name);
  if (other === undefined) {
    return [wrong([...path, 'api'], `names "${name}", which is no API.${suggestion(name, Object.keys(project.apis ?? {}))}`)];
  }
  const [own, its] = [warehouseOfApi(project, api), warehouseOfApi(project, other)];
  if (own !== undefined && its !== undefined && own !== its) {
    return [wrong([...path, 'api'], `names "${name}", which is in "${its}", not in "${own}": a relation stays within a warehouse.`)];
  }
  return fields === undefined ? [] : [ruledElsewhere(name, path)];
}

/** A dataset that several APIs publish: roles of which of them hold must be said. */
function publisherFindings({ dataset = '', fields }: RelationSettings, names: readonly string[], path: Path): readonly Finding[] {
  const [name] = names;
  if (names.length > 1) {
    return [wrong([...path, 'dataset'], `is "${dataset}", which ${names.join(' and ')} publish: name one of them with "api:" instead.`)];
  }
  return name === undefined || fields === undefined ? [] : [ruledElsewhere(name, path)];
}

const ruledElsewhere = (name: string, path: Path): Finding =>
  wrong([...path, 'fields'], `has no say here: the roles of the API "${name}" say what is seen. Leave it out.`);

/** A relation and a column are members of the same JSON object. */
function nameFindings({ project, api, name, path }: Place): readonly Finding[] {
  const columns = [
    ...keyOfApi(project, api),
    ...Object.values(api.relations ?? {}).flatMap((one) => pairsOf(one).map(([own]) => own)),
    ...Object.values(api.roles).flatMap(({ mask = {} }) => Object.keys(mask)),
  ];
  return columns.includes(name) ? [wrong(path, 'has the name of a column; give it another one.', 'name')] : [];
}

/** A role that is to see the relation needs a part in the API it leads to. */
function roleFindings({ api, dataset }: RelationSettings, place: Place, path: Path): readonly Finding[] {
  const target = api ?? publishers(place.project, place.api, dataset)[0];
  const other = target === undefined ? undefined : apiNamed(place.project, target);
  if (other === undefined) return [];
  const known = Object.keys(other.roles);
  return Object.entries(place.api.roles).flatMap(([role, { fields }]) => {
    if (fields === 'all' || !fields.includes(place.name) || known.includes(role)) return [];
    const where = [...path, 'roles', role, 'fields', fields.indexOf(place.name)];
    return [wrong(where, `names the relation "${place.name}" to the API "${target}", which has no role "${role}": add it there.`)];
  });
}
