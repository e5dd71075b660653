import assert from "node:assert/strict";
import test from "node:test";

import { isShifted, keyName } from "../../web/layout/input/keys.mjs";

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

test("Shift belongs to the name of named keys and of digits that it turns into something else", () => {
  const shifted = (key, code) => isShifted({ key, code, shiftKey: true });
  assert.ok(shifted(")", "Digit0") && shifted("Delete", "Delete"));
  assert.ok(!shifted("1", "Digit1") && !shifted("N", "KeyN"));
  assert.ok(!isShifted({ key: "0", code: "Digit0", shiftKey: false }));
});
