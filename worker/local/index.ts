export type { LocalOptions, LocalPostgres, LocalServers, LocalTemporal } from './options.ts';
export { localStatus, removeLocal, startLocal, stopLocal } from './servers.ts';
export type { LocalServer } from './state.ts';
export { superviseLocal, type Supervision } from './supervise.ts';
