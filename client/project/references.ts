import { wrong, type Finding, type Path } from './finding.ts';

/** References to secrets in a text: `${env:NAME}`, `${env:NAME:-default}`, `${file:path}`. */
const reference = /\$\{(?:env:[A-Za-z_]\w*(?::-[^}]*)?|file:[^}]+)\}/g;

/** Settings that are secrets as a whole, wherever they stand. */
const secretName = /(?:^|[_-])(?:token|password|passphrase|secret|api[_-]?key|(?:private|signing|access|rest|mask)_key|authorization)$/i;

/** What is wrong with the references and secrets in a connection's settings, however deep. */
export function secretFindings(settings: Readonly<Record<string, unknown>>, path: Path, name: string): readonly Finding[] {
  return Object.entries(settings).flatMap(([key, value]) => settingFindings(value, [...path, key], name));
}

function settingFindings(value: unknown, path: Path, name: string): readonly Finding[] {
  if (typeof value === 'string') return textFindings(value, path, name);
  if (Array.isArray(value)) return value.flatMap((item, index) => settingFindings(item, [...path, index], name));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => settingFindings(item, [...path, key], name));
}

function textFindings(value: string, path: Path, name: string): readonly Finding[] {
  const malformed = /\$\{[^}]*\}?/.exec(value.replace(reference, ''));
  if (malformed !== null) {
    return [wrong(path, 'has a reference that is none: write "${env:NAME}", "${env:NAME:-default}" or "${file:path}".')];
  }
  const isSecret = isSecretSetting(path) ? !isReferenced(value) : [value, ...defaultsIn(value)].some(hasLiteralSecret);
  return isSecret ? [wrong(path, remedy(name, String(path.at(-1))))] : [];
}

/** Whether a setting takes a secret and nothing else. The value of an API key has no telling name of its own. */
export function isSecretSetting(path: Path): boolean {
  const last = String(path.at(-1));
  return secretName.test(last) || (last === 'value' && path.at(-2) === 'auth');
}

/** A secret by reference, perhaps behind the word that a header begins with; or none at all, or a placeholder for a row's value. */
function isReferenced(value: string): boolean {
  return value === '' || /^\{\{[^}]*\}\}$/.test(value) || isReference(value.replace(/^[\w-]+ +(?=\$)/, ''));
}

function defaultsIn(value: string): readonly string[] {
  return [...value.matchAll(/\$\{env:\w+:-([^}]*)\}/g)].map(([, fallback = '']) => fallback);
}

function remedy(name: string, key: string): string {
  const variable = `${name}_${key}`.toUpperCase().replace(/\W/g, '_');
  return `holds a secret. Put it into .env as ${variable}=…, and write "\${env:${variable}}" here.`;
}

function hasLiteralSecret(value: string): boolean {
  const password = /^[a-z][a-z0-9+.-]*:\/\/(?:\$\{[^}]*\}|[^:@/?#$])*:((?:\$\{[^}]*\}|[^/?#])+)@/i.exec(value)?.[1];
  if (password !== undefined && !isReference(password)) return true;
  const parameter = /(?:^|[?&\s])(?:password|sslpassword|token|api_?key|secret)=([^&\s]+)/i.exec(value)?.[1];
  if (parameter !== undefined && !isReference(parameter)) return true;
  return /^https:\/\/hooks\.slack\.com\/services\/[^$]/i.test(value);
}

/** Whether a text is one reference and nothing else, and brings no secret of its own as default. */
function isReference(text: string): boolean {
  return /^\$\{(?:env:[A-Za-z_]\w*(?::-)?|file:[^}]+)\}$/.test(text);
}

/** References outside of connections and the gateway's secrets: nothing would resolve them. */
export function misplacedReferences(value: unknown, path: Path): readonly Finding[] {
  if (typeof value === 'string') {
    return /\$\{(?:env|file):/.test(value)
      ? [wrong(path, 'has a reference to a secret; only settings of connections, and secrets of the gateway, can have one.')]
      : [];
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => misplacedReferences(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => misplacedReferences(item, [...path, key]));
}

/** Makes the paths of `${file:…}`, and of settings that are paths, absolute by the given function. */
export function absoluteReferences(value: string, absolute: (path: string) => string, isPath: boolean): string {
  const resolved = value.replace(/\$\{file:([^}]+)\}/g, (_, path: string) => `\${file:${absolute(path)}}`);
  if (!isPath) return resolved;
  const fallback = /^\$\{env:(\w+):-([^}]+)\}$/.exec(resolved);
  if (fallback !== null) return `\${env:${fallback[1]}:-${absolute(fallback[2] ?? '')}}`;
  return resolved.includes('${') ? resolved : absolute(resolved);
}
