import assert from "node:assert/strict";
import test from "node:test";

import { keyName } from "../../web/layout/input/keys.mjs";

const CASES = [
  [{ key: "N", code: "KeyN" }, "n"],
  [{ key: "a", code: "KeyQ" }, "a"],
  [{ key: "т", code: "KeyN" }, "n"],
  [{ key: "Dead", code: "KeyE" }, "e"],
  [{ key: "&", code: "Digit1" }, "1"],
  [{ key: "?", code: "KeyM" }, "?"],
  [{ key: "1", code: "Numpad1" }, "1"],
  [{ key: " ", code: "Space" }, "space"],
  [{ key: "ArrowLeft", code: "ArrowLeft" }, "arrowleft"],
  [{ key: "Delete", code: "NumpadDecimal" }, "delete"],
  [{ key: "Process", code: "KeyA" }, "a"],
];

test("a key is its Latin letter, else its place on an English keyboard", () => {
  for (const [event, name] of CASES) assert.equal(keyName(event), name, JSON.stringify(event));
});
