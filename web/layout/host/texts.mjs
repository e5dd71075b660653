import { api, readSetting } from "./frontend.mjs";

/** @type {any} */
let texts = {};

/** Fetches the pack's texts (locales/<language>/main.json) once, English under the user's language. */
export async function loadTexts() {
  try {
    const all = await (await api.fetchApi("/i18n")).json();
    const language = String(readSetting("Comfy.Locale", "en"));
    texts = merged(all.en?.msdiffusion, merged(all[language.split("-")[0]]?.msdiffusion, all[language]?.msdiffusion));
  } catch (error) {
    console.warn("MS-Diffusion: the translations could not be loaded", error);
  }
}

/** @param {any} below @param {any} above @returns {any} */
function merged(below, above) {
  if (typeof below !== "object" || typeof above !== "object" || !below || !above) return above ?? below;
  return Object.fromEntries(
    [...new Set([...Object.keys(below), ...Object.keys(above)])].map((key) => [key, merged(below[key], above[key])]),
  );
}

/** The text of a dotted key with `{name}` filled in, `{name:box,boxes}` with a number and its noun; without a text, the
 * key's last part in words.
 * @param {string} key @param {Record<string, string | number>} [params] */
export function t(key, params = {}) {
  const found = key.split(".").reduce((node, part) => node?.[part], texts);
  const text = typeof found === "string" ? found : (key.split(".").pop() ?? key).replaceAll("_", " ");
  return text.replace(/\{(\w+)(?::([^,}]*),([^}]*))?\}/g, (whole, name, one, many) => {
    if (params[name] === undefined) return whole;
    return one === undefined ? String(params[name]) : `${params[name]} ${Number(params[name]) === 1 ? one : many}`;
  });
}
