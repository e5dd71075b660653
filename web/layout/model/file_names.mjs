/** A phrase from a file's name: "red_backpack (2).png" says "red backpack"; "IMG_1234.jpg" says nothing. */

const LONGEST = 60;

/** What cameras, telephones, browsers and editors write, and what says nothing of what is in the picture. */
const EMPTY_WORDS = new Set(
  (
    "img dsc dscn dscf pxl mvimg imag image images img_e photo photos picture pic pics foto bild untitled unnamed " +
    "unknown download downloads screenshot screenshots scan scanned whatsapp signal telegram snapchat " +
    "received fb gopr dji vid copy kopie copia copie edited edit final new temp tmp output outputs result " +
    "removebg rembg nobg bg background removed preview cutout cut out transparent alpha cropped crop " +
    "resized resize upscaled upscale thumb thumbnail small large hd uhd px png jpg jpeg webp of at wa am pm version " +
    "clipspace painted pasted the a an"
  ).split(" "),
);

/** Words that may stand inside a phrase but not at its ends. */
const INNER_WORDS = new Set(["of", "the", "a", "an", "at", "out"]);

/** What programs begin their names with: words that would say something elsewhere. */
const PREFIXES = /comfyui(_temp_[a-z]+)?|screen[ _-]?shot/gi;

/** @param {string} word */
const isHash = (word) => /^[0-9a-f]{6,}$/i.test(word) && /\d/.test(word);

/** @param {string} word */
const isSize = (word) => /^\d+x\d+$/i.test(word) || /^v\d+$/i.test(word) || /^\d+(px|k|mp|x)$/i.test(word);

/** @param {string} word */
const saysNothing = (word) =>
  !/\p{L}/u.test(word) || isHash(word) || isSize(word) || EMPTY_WORDS.has(word.toLowerCase()) || isCode(word);

/** "DSC01234", "P1020304", "B07XYZ12": letters and many digits. @param {string} word */
const isCode = (word) => /^\p{L}{1,4}\d{3,}\p{L}?\d*$/u.test(word) || /^(?=(?:.*\d){3})(?=.*[A-Z])[A-Z\d]{6,}$/.test(word);

/**
 * @param {string} name a file's name, with or without folders
 * @returns {string} a phrase in lower case, or "" if the name says nothing
 */
export function phraseOf(name) {
  const words = String(name)
    .replace(/^.*[/\\]/, "")
    .replace(/(\.[a-z0-9]{2,5})+$/i, "")
    .replace(/\{?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\}?/gi, " ")
    .replace(/[([{][^)\]}]*[)\]}]/g, " ")
    .replace(PREFIXES, " ")
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .replace(/['’]/g, "")
    .split(/[^\p{L}\p{M}\p{N}]+/u)
    .filter(Boolean)
    .map((word) => word.replace(/^(\p{L}{3,})\d{1,3}$/u, "$1"));
  const kept = words.filter((word) => INNER_WORDS.has(word.toLowerCase()) || !saysNothing(word));
  while (kept.length && saysNothing(kept[0])) kept.shift();
  while (kept.length && saysNothing(kept[kept.length - 1])) kept.pop();
  return cut(kept.join(" ").toLowerCase());
}

/** At most `LONGEST` characters, whole words. @param {string} phrase */
function cut(phrase) {
  if (phrase.length <= LONGEST) return phrase;
  const short = phrase.slice(0, LONGEST + 1);
  return short.slice(0, Math.max(short.lastIndexOf(" "), 0) || LONGEST).trimEnd();
}
