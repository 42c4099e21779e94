import type { Client } from '@temporalio/client';
import type { ProtoFailure } from '@temporalio/common';
import { z } from 'zod';

const commonAttributes = z.looseObject({ message: z.string() });

/** The message of a failure as the server lists it, decrypted where it is encrypted. */
export async function failureMessage(client: Client, failure: ProtoFailure | null | undefined): Promise<string> {
  const { encodedAttributes, message } = failure ?? {};
  if (encodedAttributes === null || encodedAttributes === undefined) return message ?? '';
  const { payloadCodecs, payloadConverter } = client.options.loadedDataConverter;
  let decoded = [encodedAttributes];
  for (const codec of payloadCodecs.toReversed()) decoded = await codec.decode(decoded);
  const [payload] = decoded;
  return payload === undefined ? '' : commonAttributes.parse(payloadConverter.fromPayload(payload)).message;
}
