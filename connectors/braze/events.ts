import { MillraceError } from '../../schema/errors.ts';
import type { FieldValue } from '../../schema/value.ts';
import type { ApplicationRequest, Batch, OutgoingRow } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { plainField } from '../plain-field.ts';
import { identifierOf, identifiers, identityOf, plainText } from './identity.ts';
import { type BrazeObject, refusalOf } from './object.ts';
import type { BrazeWriteOptions } from './settings.ts';
import { track, trackBytes, trackObjects, type TrackObject } from './track.ts';
import { unidentified } from './users.ts';
import type { Workspace } from './workspace.ts';

/** A time as Braze takes it: with a zone, which is UTC where the column has none. */
function timeOf(value: FieldValue | undefined): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (/^\d{4}-\d\d-\d\d$/.test(value)) return `${value}T00:00:00Z`;
  const match = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d(?::?\d\d)?)?$/.exec(value);
  if (match === null) return undefined;
  const [, date, time, zone = 'Z'] = match;
  return `${date}T${time}${/^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone}`;
}

/** Custom events. Braze doesn't know an event again: what was sent twice happened twice. */
export function events(workspace: Workspace, request: ApplicationRequest, options: BrazeWriteOptions): BrazeObject {
  const { event, time = 'time', existing_only: existingOnly = false } = options;
  const needed = [...(event === undefined ? ['name'] : []), time];
  const check = (): void => {
    identifierOf(request, workspace.name);
    const missing = needed.filter((name) => !request.fields.includes(name));
    if (missing.length === 0) return;
    const hint = 'the name may also be given by the write option event, the field of the time by time';
    throw new MillraceError('config', `connection ${workspace.name}: events need a field ${missing.join(' and ')}; ${hint}`);
  };
  const objectOf = (row: OutgoingRow): TrackObject => {
    const identifier = identifierOf(request, workspace.name);
    const identity = identityOf(row, identifier, options.alias_label);
    if (identity === undefined) return { refused: unidentified(identifier) };
    const name = event ?? plainText(row.fields['name']);
    if (name === undefined) return { refused: 'its name is empty' };
    const at = timeOf(row.fields[time]);
    if (at === undefined) return { refused: `its ${time} is not a date or time` };
    const properties = Object.entries(row.fields).filter(([property, value]) => !needed.includes(property) && value !== null);
    return {
      object: {
        ...(existingOnly || identifier === 'user_alias' ? { _update_existing_only: existingOnly } : {}),
        [identifier]: identity,
        name,
        time: at,
        properties: Object.fromEntries(properties),
      },
    };
  };
  const fields = [
    ...Object.keys(identifiers).map((name) => plainField(name, name === 'user_alias' ? 'json' : 'string', { unique: true })),
    ...(event === undefined ? [plainField('name', 'string', { required: true })] : []),
    plainField(time, 'datetime', { required: true }),
  ];
  return {
    batchRows: trackObjects,
    batchBytes: trackBytes,
    writes: { create: 'none' },
    changedOnly: false,
    probes: [{ path: 'users/track', needs: ['create'], permission: 'users.track' }],
    problem: async () => await refusalOf(check),
    describe: async () => ({ fields, closed: false }),
    send: async ({ rows }: Batch, attempt: Attempt) => {
      check();
      return await track(workspace, 'events', rows.map(objectOf), attempt);
    },
  };
}
