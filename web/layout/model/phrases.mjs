/** Whether a prompt names a subject, as its words tell: the server compares what the tokenizer makes of both. */

/** Scripts that put no space between words. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;

/** The words of a text with a space around each; weights, brackets and commas are none. @param {string} text */
const spaced = (text) => ` ${(text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).join(" ")} `;

/**
 * Whether one of the texts has the phrase's words, one after the other and whole. An empty phrase is in every text.
 * @param {string} phrase @param {readonly string[]} texts
 */
export function isSaid(phrase, texts) {
  const words = spaced(phrase);
  if (!words.trim()) return true;
  if (UNSPACED.test(phrase)) return texts.some((text) => text.toLowerCase().includes(phrase.trim().toLowerCase()));
  return texts.some((text) => spaced(text).includes(words));
}
