import type { StreamDefinition } from '../../schema/definition.ts';

/** A stream's definition with every default, but for what a test gives. */
export function defineStream(given: Partial<StreamDefinition>): StreamDefinition {
  return {
    stream: '',
    except: [],
    mode: 'replace',
    key: [],
    nullCursor: 'include',
    transform: [],
    contract: { columns: 'evolve', types: 'evolve' },
    deletes: 'keep',
    maxDeleted: 1,
    onFailure: 'reject',
    maxRejected: { share: 1 },
    protect: [],
    adopt: false,
    read: {},
    ...given,
  };
}
