import { connectionKinds, type ConnectionSettings } from '../../connectors/settings.ts';
import { suggestion, wrong, type Finding, type Path } from './finding.ts';
import type { ProjectFile } from './schema.ts';

/** A connection's settings; undefined when there is none of the name. */
export function connectionNamed({ connections }: ProjectFile, name: string): ConnectionSettings | undefined {
  return Object.hasOwn(connections, name) ? connections[name] : undefined;
}

/** A connection that is there and can be used so. */
export function connectionFindings(project: ProjectFile, name: string, path: Path, role: 'source' | 'warehouse'): readonly Finding[] {
  const connection = connectionNamed(project, name);
  if (connection === undefined) {
    return [wrong(path, `names the connection "${name}", which is not there.${suggestion(name, Object.keys(project.connections))}`)];
  }
  if (connectionKinds[connection.type][role]) return [];
  const purpose = role === 'source' ? 'read from' : 'loaded into; a warehouse is a postgres connection';
  return [wrong(path, `names "${name}", a ${connection.type} connection, which cannot be ${purpose}.`)];
}
