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

test("both languages have the same texts with the same places to fill", () => {
  for (const file of ["main", "settings", "commands"]) {
    const [en, zh] = [texts("en", file), texts("zh", file)];
    assert.deepEqual(keysOf(zh).sort(), keysOf(en).sort(), file);
    for (const key of keysOf(en)) assert.deepEqual(places(at(zh, key)), places(at(en, key)), key);
  }
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
