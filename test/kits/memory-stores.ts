import type { ApplicationContext } from '../../connectors/application.ts';
import { memoryStores } from '../../connectors/http/memory-stores.ts';

/** What a worker gives to an application, in memory. */
export const memoryContext = (): ApplicationContext => memoryStores();
