/** A text in which values of a row are left out, longer ones first, for they may hold shorter ones. */
export const withoutValues = (text: string, values: readonly string[]): string =>
  values.toSorted((one, other) => other.length - one.length).reduce((rest, value) => rest.replaceAll(value, '…'), text);
