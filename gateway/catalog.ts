import type { DatasetShape } from '../schema/dataset.ts';
import type { ApiDefinition, RelationDefinition } from '../schema/gateway-definition.ts';

/** An API with its dataset as the warehouse has it now. */
export interface PublishedApi {
  readonly definition: ApiDefinition;
  readonly shape: DatasetShape;
  /** Shapes of the datasets of relations that have no API of their own, by relation. */
  readonly relationShapes: ReadonlyMap<string, DatasetShape>;
}

/** The APIs and their shapes; they are described again when they change. */
export interface Catalog {
  /** Rises whenever a shape has changed: what is made of shapes is made anew then. */
  readonly generation: number;
  readonly apis: readonly PublishedApi[];
  api(name: string): PublishedApi | undefined;
}

export const shapeOfRelation = (
  api: PublishedApi,
  name: string,
  relation: RelationDefinition,
  catalog: Catalog,
): DatasetShape | undefined => (relation.api === undefined ? api.relationShapes.get(name) : catalog.api(relation.api)?.shape);
