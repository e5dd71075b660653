import assert from "node:assert/strict";
import test from "node:test";
import { valueOfSum } from "../../web/layout/model/arithmetic.mjs";

test("sums have the value that one expects", () => {
  const cases = [
    ["512", 512],
    ["512/2", 256],
    ["1024 - 2 * 100", 824],
    ["(1024-200)/4", 206],
    ["-3+5", 2],
    ["2*-3", -6],
    ["--4", 4],
    ["0,5", 0.5],
    [".25*4", 1],
    ["1024×0.5", 512],
    ["1024 ÷ 4 − 6", 250],
    ["8/2/2", 2],
    ["7-2-1", 4],
  ];
  for (const [text, value] of cases) assert.equal(valueOfSum(text), value, text);
});

test("what is no sum has no value", () => {
  for (const text of ["", "  ", "nonsense", "1e9", "2+", "*2", "(1", "1)", "1 2", "1..2", "1/0", "0/0", "alert(1)", "2**3", "0x10", "1,5,2"])
    assert.equal(valueOfSum(text), null, text);
});
