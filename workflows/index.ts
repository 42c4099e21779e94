export { check } from './check.ts';
export { alert } from './alert.ts';
export { deliver } from './deliver.ts';
export { model } from './model.ts';
export { pipeline } from './pipeline.ts';
export { stream } from './stream.ts';
export { sync } from './sync.ts';
export { watch } from './watch.ts';
