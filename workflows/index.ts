export { model } from './model.ts';
export { pipeline } from './pipeline.ts';
export { stream } from './stream.ts';
