import type { StreamDefinition } from '../../schema/definition.ts';
import type { DefaultsSettings, PipelineSettings } from '../../schema/project.ts';
import { streamDefaults, type StreamSettings } from '../../schema/project-stream.ts';
import { accepted, parseCadence } from '../../schema/quantity.ts';
import { toMaxRejected, toShare } from './connection-definitions.ts';
import { layered, listOf, mergedStream } from './merge.ts';

/** The streams of a pipeline with all defaults; what has a stream of its own is left out of the patterns that match it. */
export function toStreams({ streams }: PipelineSettings, defaults: DefaultsSettings): StreamDefinition[] {
  const exact = Object.keys(streams).filter((name) => !name.includes('*'));
  return Object.entries(streams).map(([stream, settings]) => {
    const own = stream.includes('*') ? exact.filter((name) => matches(stream, name)) : [];
    return toStream(stream, [...(settings.except ?? []), ...own], mergedStream(defaults, settings));
  });
}

/** Whether a name is of the form of a pattern, where `*` stands for anything. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split(/\*+/).map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}

type Complete = { readonly [Name in keyof typeof streamDefaults]: NonNullable<StreamSettings[Name]> };

function toStream(stream: string, except: readonly string[], settings: StreamSettings): StreamDefinition {
  const complete = layered<Complete>(streamDefaults, settings);
  return {
    stream,
    except: [...new Set(except)],
    mode: complete.mode,
    key: [...listOf(settings.key)],
    ...optional(settings),
    nullCursor: complete.null_cursor,
    transform: settings.transform ?? [],
    contract: toContract(complete.contract),
    deletes: complete.deletes,
    maxDeleted: toShare(complete.guards.deletes ?? streamDefaults.guards.deletes),
    onFailure: complete.on_failure,
    maxRejected: toMaxRejected(complete.max_rejected),
    protect: settings.protect ?? [],
    adopt: complete.adopt,
    read: settings.read ?? {},
  };
}

function optional({ into, cursor, look_back: lookBack, reconcile }: StreamSettings): Partial<StreamDefinition> {
  return {
    ...(into === undefined ? {} : { into }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(lookBack === undefined ? {} : { lookBack: String(lookBack) }),
    ...(reconcile === undefined ? {} : { reconcileEvery: accepted(parseCadence, reconcile) }),
  };
}

function toContract(contract: NonNullable<StreamSettings['contract']>): StreamDefinition['contract'] {
  if (typeof contract === 'string') return { columns: contract, types: contract };
  return { columns: contract.columns ?? streamDefaults.contract, types: contract.types ?? streamDefaults.contract };
}
