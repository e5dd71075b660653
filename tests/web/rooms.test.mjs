import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

/** The rooms of the canvas, each built on those before it; the files at the door tie them together. */
const ROOMS = ["model", "host", "view", "input", "panels", "door"];

/** Rooms that know nothing of a page. */
const WITHOUT_PAGE = ["model"];

const folder = new URL("../../web/layout/", import.meta.url);
const modules = readdirSync(folder, { recursive: true })
  .filter((name) => name.endsWith(".mjs"))
  .map((name) => {
    const source = readFileSync(new URL(name, folder), "utf8");
    const imports = [...source.matchAll(/^(?:import|export)\b[^;]*?from\s+"([^"]+)"/gms)].map(([, path]) => path);
    return { name, room: roomOf(name), source, imports };
  });

function roomOf(name) {
  return name.includes("/") ? name.split("/")[0] : "door";
}

/** Where an import leads, from the folder of the canvas. */
const target = ({ name }, path) => new URL(path, new URL(name, folder)).href.slice(folder.href.length);

test("every module lives in one of the rooms", () => {
  assert.deepEqual(modules.filter(({ room }) => !ROOMS.includes(room)).map(({ name }) => name), []);
  for (const room of ROOMS) assert.ok(modules.some((module) => module.room === room), `${room} is empty`);
});

test("arrows point one way: a room uses only itself and the rooms before it", () => {
  const wrong = modules.flatMap((module) =>
    module.imports
      .filter((path) => path.startsWith(".") && path.endsWith(".mjs"))
      .map((path) => target(module, path))
      .filter((to) => ROOMS.indexOf(roomOf(to)) > ROOMS.indexOf(module.room))
      .map((to) => `${module.name} -> ${to}`),
  );
  assert.deepEqual(wrong, []);
  assert.ok(modules.flatMap(({ imports }) => imports).length > 60);
});

test("no two modules import each other, not even round several corners", () => {
  const graph = new Map(modules.map((module) => [module.name, module.imports.map((path) => target(module, path))]));
  const done = new Set();
  const walk = (name, path) => {
    assert.ok(!path.includes(name), [...path, name].join(" -> "));
    if (done.has(name)) return;
    for (const next of graph.get(name) ?? []) walk(next, [...path, name]);
    done.add(name);
  };
  for (const name of graph.keys()) walk(name, []);
});

test("one door leads to ComfyUI's frontend", () => {
  const doors = modules.filter(({ imports }) => imports.some((path) => path.includes("scripts/")));
  assert.deepEqual(doors.map(({ name }) => name), ["host/frontend.mjs"]);
});

test("the model knows nothing of the page", () => {
  for (const { name, source } of modules.filter(({ room }) => WITHOUT_PAGE.includes(room)))
    assert.ok(!/\b(document|window|requestAnimationFrame|setTimeout|HTMLElement|navigator)\b/.test(source), name);
});

test("a module is at most 400 lines", () => {
  for (const { name, source } of modules) assert.ok(source.split("\n").length <= 401, name);
});
