/** Something in a text is not as it must be; `key` and `params` name the sentence among the translations. */
export class FormatError extends Error {
  /** @param {string} key @param {Record<string, string | number>} [params] */
  constructor(key, params = {}) {
    super(`${key} ${JSON.stringify(params)}`);
    this.key = key;
    this.params = params;
  }
}
