import { connectionKinds, type ConnectionSettings } from '../../connectors/settings.ts';
import { either, suggestion, wrong, type Finding, type Path } from './finding.ts';
import type { ProjectFile } from './schema.ts';

/** A connection's settings; undefined when there is none of the name. */
export function connectionNamed({ connections }: ProjectFile, name: string): ConnectionSettings | undefined {
  return Object.hasOwn(connections, name) ? connections[name] : undefined;
}

type Role = 'source' | 'warehouse' | 'application';

const kindsOf = (role: Role): string => {
  const types = Object.entries(connectionKinds).flatMap(([type, kind]) => (kind[role] ? [type] : []));
  return either(types);
};

const purposes: Readonly<Record<Role, () => string>> = {
  source: () => 'read from',
  warehouse: () => 'loaded into; a warehouse is a postgres connection',
  application: () => `the destination of a sync; that is a connection of type ${kindsOf('application')}`,
};

/** A connection that is there and can be used so. */
export function connectionFindings(project: ProjectFile, name: string, path: Path, role: Role): readonly Finding[] {
  const connection = connectionNamed(project, name);
  if (connection === undefined) {
    return [wrong(path, `names the connection "${name}", which is not there.${suggestion(name, Object.keys(project.connections))}`)];
  }
  if (connectionKinds[connection.type][role]) return [];
  return [wrong(path, `names "${name}", a ${connection.type} connection, which cannot be ${purposes[role]()}.`)];
}
