import { type Json, jsonText } from '../../schema/value.ts';
import type { Outcome } from '../application.ts';
import type { Attempt } from '../connector.ts';
import { outcomesOf, post, replyOf, type Workspace } from './workspace.ts';

/** Objects of one request, of all kinds together: https://www.braze.com/docs/api/api_limits */
export const trackObjects = 75;
/** Bytes of a request's objects, with room for what is around them: Braze takes 4 MB. */
export const trackBytes = 3_900_000;
const objectBytes = 100 * 1024;

/** A row as `/users/track` takes it, or why it can't be sent. */
export type TrackObject = { readonly object: Readonly<Record<string, Json>> } | { readonly refused: string };

function sized(item: TrackObject): TrackObject {
  if ('refused' in item || Buffer.byteLength(jsonText(item.object)) <= objectBytes) return item;
  return { refused: 'it is larger than the 100 KB that Braze takes for one object; map fewer or shorter fields' };
}

/** Sends objects in one array of one request; those that can't be sent are rejected, and the others keep their outcomes in order. */
export async function track(
  workspace: Workspace,
  array: 'attributes' | 'events',
  items: readonly TrackObject[],
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const checked = items.map(sized);
  const sent = checked.flatMap((item) => ('refused' in item ? [] : [item]));
  const outcomes =
    sent.length === 0
      ? []
      : await send(
          workspace,
          array,
          sent.map(({ object }) => object),
          attempt,
        );
  let next = 0;
  return checked.map((item): Outcome => {
    if ('refused' in item) return { status: 'rejected', reason: item.refused };
    const outcome = outcomes[next] ?? { status: 'unknown', reason: 'Braze did not answer for it' };
    next += 1;
    return outcome;
  });
}

async function send(
  workspace: Workspace,
  array: 'attributes' | 'events',
  objects: readonly unknown[],
  attempt: Attempt,
): Promise<readonly Outcome[]> {
  const answer = await post(workspace, 'users/track', { [array]: objects }, false, attempt);
  return outcomesOf(workspace, replyOf(workspace, answer, array), objects.length);
}
