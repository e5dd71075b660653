import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { DISTINCT, PRESETS } from "../../web/layout/model/presets.mjs";
import { colourNames } from "../../web/layout/view/palette.mjs";

const root = new URL("../../", import.meta.url);
const sources = readdirSync(new URL("web/layout/", root), { recursive: true })
  .filter((name) => name.endsWith(".mjs"))
  .map((name) => readFileSync(new URL(`web/layout/${name}`, root), "utf8"))
  .join("\n");
const texts = (language, file) => JSON.parse(readFileSync(new URL(`locales/${language}/${file}.json`, root), "utf8"));
const keysOf = (node, path = "") =>
  typeof node === "string"
    ? [path]
    : Object.entries(node).flatMap(([key, value]) => keysOf(value, path ? `${path}.${key}` : key));
const places = (text) => [...text.matchAll(/\{(\w+)[}:]/g)].map((found) => found[1]).sort();
const at = (node, key) => key.split(".").reduce((now, part) => now?.[part], node);

const source = (name) => readFileSync(new URL(`web/layout/${name}`, root), "utf8");
const key = (id) => `MSDiffusion_Layout_${id[0].toUpperCase()}${id.slice(1)}`;

test("every language has English's texts with the same places to fill", () => {
  const languages = readdirSync(new URL("locales/", root)).filter((name) => name !== "en");
  assert.deepEqual(languages.sort(), ["ja", "zh"]);
  for (const language of languages)
    for (const file of ["main", "settings", "commands"]) {
      const [en, theirs] = [texts("en", file), texts(language, file)];
      assert.deepEqual(keysOf(theirs).sort(), keysOf(en).sort(), `${language}/${file}`);
      for (const key of keysOf(en)) {
        assert.deepEqual(places(at(theirs, key)), places(at(en, key)), `${language}: ${key}`);
        assert.ok(at(theirs, key).trim(), `${language}: ${key}`);
      }
    }
});

test("every setting, with its choices and group, and every command is among the texts, as the code has it in English", () => {
  const settings = [...source("host/settings.mjs").matchAll(/\bentry\(\s*"(\w+)",\s*"([^"]+)",\s*"([^"]+)"/g)];
  const named = Object.entries(texts("en", "settings")).map(([id, { name }]) => [id, name]);
  assert.deepEqual(named.sort(), settings.map(([, id, name]) => [key(id), name]).sort());
  const groups = [...new Set(settings.map(([, , , group]) => group))];
  assert.deepEqual(Object.keys(texts("en", "main").settingsCategories).sort(), groups.sort());
  const offered = [...source("host/settings.mjs").matchAll(/\bchoices\(("[^)]*")\)/g)].map(([, list]) =>
    [...list.matchAll(/"([^"]*)"/g)].map(([, text]) => text).filter((_, k) => k % 2),
  );
  const options = Object.values(texts("en", "settings")).flatMap(({ options }) => (options ? [Object.keys(options)] : []));
  assert.deepEqual(options.sort(), offered.sort());
  const commands = [...source("extension.mjs").matchAll(/\bcommand\("(\w+)", "([^"]+)"/g)];
  const labels = Object.entries(texts("en", "commands")).map(([id, { label }]) => [id, label]);
  assert.deepEqual(labels.sort(), commands.map(([, id, label]) => [key(id), `MS-Diffusion layout: ${label}`]).sort());
});

test("every text that the code asks for is there", () => {
  const { msdiffusion } = texts("en", "main");
  const asked = [...sources.matchAll(/\bt\("([\w.]+)"/g)].map((found) => found[1]);
  const errors = [...sources.matchAll(/new FormatError\("(\w+)"/g)].map((found) => `error.${found[1]}`);
  const actions = [...sources.matchAll(/\{ name: "(\w+)",(?: key: "[^"]+",)? when:/g)].map(
    (found) => `action.${found[1]}`,
  );
  const presets = [
    ...PRESETS.map(({ name }) => `action.preset_${name}`),
    ...DISTINCT.filter(({ twins }) => twins.length > 1).map(({ name }) => `twins.${name}`),
    ...["vivid", "safe"].flatMap(colourNames).map((name) => `colour.${name}`),
  ];
  assert.ok(asked.length > 30 && errors.length > 5 && actions.length > 15);
  for (const key of [...asked, ...errors, ...actions, ...presets])
    assert.equal(typeof at(msdiffusion, key), "string", key);
});
