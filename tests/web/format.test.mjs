import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  boundingBoxText,
  importLayout,
  layoutText,
  parseLayout,
  readableText,
} from "../../web/layout/model/format.mjs";
import { boxOf } from "../../web/layout/model/boxes.mjs";
import { FormatError } from "../../web/layout/model/format_error.mjs";

const size = { width: 1000, height: 500 };
const sides = ({ x0, y0, x1, y1 }) => [x0, y0, x1, y1];
const refused = (text, key) =>
  assert.throws(
    () => parseLayout(text),
    (error) => error instanceof FormatError && error.key === key,
  );

test("the saved text has its keys in one order and four decimals", () => {
  const box = boxOf({ y1: 0.8, x1: 0.500049, y0: 0.2, x0: 0.1 });
  assert.equal(
    layoutText([box]),
    '{"version":1,"boxes":[{"x0":0.1,"y0":0.2,"x1":0.5,"y1":0.8,"label":"","color":""}]}',
  );
});

test("a lock is written only where there is one, after the other keys", () => {
  const text = layoutText([boxOf({ x0: 0, y0: 0, x1: 1, y1: 1 }, { label: "sky", locked: true })]);
  assert.equal(text, '{"version":1,"boxes":[{"x0":0,"y0":0,"x1":1,"y1":1,"label":"sky","color":"","locked":true}]}');
  assert.equal(layoutText(parseLayout(text)), text);
});

test("what else a box has is written only where there is something, in one order", () => {
  const mask = { counts: "000120", size: [2, 2] };
  const text = JSON.stringify([{ mask, z: 3, locked: true, color: "#00Ff00", y1: 1, x1: 1, y0: 0, x0: 0, label: "a" }]);
  assert.equal(
    layoutText(parseLayout(text)),
    '{"version":1,"boxes":[{"x0":0,"y0":0,"x1":1,"y1":1,"label":"a","color":"#00Ff00","locked":true,"z":3,' +
      '"mask":{"size":[2,2],"counts":"0120"}}]}',
  );
  const plain = '[{"x0":0,"y0":0,"x1":1,"y1":1,"z":0,"mask":{"size":[2,2],"counts":"04"}}]';
  assert.equal(layoutText(parseLayout(plain)), layoutText([boxOf({ x0: 0, y0: 0, x1: 1, y1: 1 })]));
});

test("what is no colour is dropped wherever it comes from", () => {
  const css = "red;position:fixed;background:url(http://example.com)";
  for (const color of ["red", "#f00", "#ff00001", " #ff0000", "#ff0000\n", "#gg0000", "#ff0000;x:y", css]) {
    const box = { x0: 0, y0: 0, x1: 1, y1: 1, label: "", color };
    assert.equal(parseLayout(JSON.stringify([box]))[0].color, "", color);
    assert.equal(importLayout(JSON.stringify({ boxes: [box] }), size).boxes[0].color, "", color);
    const pixels = [{ x: 0, y: 0, width: 50, height: 50, metadata: { palette: [color] } }];
    assert.equal(importLayout(JSON.stringify(pixels), size).boxes[0].color, "", color);
  }
});

test("what is wrong with a mask or a place in front is named with its box", () => {
  const mask = { size: [2, 2], counts: "0120" };
  for (const [key, extra] of Object.entries({
    no_mask: { mask: null },
    mask_size: { mask: { ...mask, size: [1e9, 1e9] } },
    mask_counts: { mask: { ...mask, counts: "01 20" } },
    mask_sum: { mask: { ...mask, counts: "012" } },
    mask_empty: { mask: { ...mask, counts: "4" } },
    bad_z: { z: 0.5 },
  })) {
    const text = JSON.stringify([{ x0: 0, y0: 0, x1: 1, y1: 1 }, { x0: 0, y0: 0, x1: 1, y1: 1, ...extra }]);
    assert.throws(
      () => parseLayout(text),
      (error) => error.key === key && error.params.box === 2,
      key,
    );
  }
});

test("equal layouts are equal texts whatever the order of keys and noise of floats was", () => {
  const a = parseLayout(
    '{"version":1,"boxes":[{"x0":0.1,"y0":0.2,"x1":0.30000000000000004,"y1":0.4,"label":"","color":""}]}',
  );
  const b = parseLayout('{"boxes":[{"color":"","y1":0.4,"x1":0.3,"y0":0.2,"x0":0.1}]}');
  assert.equal(layoutText(a), layoutText(b));
});

test("scripts may write short forms", () => {
  assert.deepEqual(sides(parseLayout('{"boxes":[[0.1,0.2,0.5,0.8]]}')[0]), [0.1, 0.2, 0.5, 0.8]);
  assert.deepEqual(sides(parseLayout("[[0.1,0.2,0.5,0.8]]")[0]), [0.1, 0.2, 0.5, 0.8]);
  assert.deepEqual(parseLayout(""), []);
});

test("what is wrong in a saved text is named with its box", () => {
  refused("{'boxes': []}", "no_json");
  refused('{"version":2,"boxes":[]}', "newer_version");
  refused('{"version":1}', "no_boxes");
  assert.throws(
    () => parseLayout("[[0,0,1,1],[0.5,0.5,0.5,0.9]]"),
    (error) => error.key === "empty_box" && error.params.box === 2,
  );
  assert.throws(
    () => parseLayout('[{"x0":0,"y0":"a","x1":1,"y1":1}]'),
    (error) => error.key === "bad_side" && error.params.side === "y0",
  );
});

// The server is held to the same file by tests/core/test_boxes_verdicts.py.
const verdicts = JSON.parse(readFileSync(new URL("../data/boxes_verdicts.json", import.meta.url), "utf8"));
const textOf = (parts) =>
  typeof parts === "string"
    ? parts
    : parts.map((part) => (typeof part === "string" ? part : part[0].repeat(part[1]))).join("");

test("what the server reads is read, with the same sides", () => {
  for (const { case: name, text, boxes } of verdicts.valid) {
    assert.deepEqual(parseLayout(textOf(text)).map(sides), boxes, name);
  }
});

test("what the server refuses is refused with a sentence", () => {
  for (const { case: name, text } of verdicts.refused) {
    assert.throws(() => parseLayout(textOf(text)), FormatError, name);
  }
});

test("nothing that is pasted ends in anything but boxes or a sentence", () => {
  for (const { case: name, text } of [...verdicts.valid, ...verdicts.refused]) {
    try {
      for (const box of importLayout(textOf(text), size).boxes) assert.ok(sides(box).every(Number.isFinite), name);
    } catch (error) {
      assert.ok(error instanceof FormatError, `${name}: ${error}`);
    }
  }
});

test("what is pasted may reach over the edge, with or without fences", () => {
  const pasted = '{"boxes":[{"x0":-0.1,"y0":0,"x1":1.2,"y1":1,"label":"sky","color":"#0000ff","locked":true}]}';
  for (const text of [pasted, `\`\`\`json\n${pasted}\n\`\`\``]) {
    const { boxes, form } = importLayout(text, size);
    assert.equal(form, "layout");
    assert.deepEqual(boxes, [boxOf({ x0: 0, y0: 0, x1: 1, y1: 1 }, { label: "sky", color: "#0000ff", locked: true })]);
  }
  refused(pasted, "outside_side");
});

test("core bounding boxes in pixels come in, also one list per frame, and keep their names", () => {
  const flat = '[{"x":100,"y":50,"width":400,"height":200,"metadata":{"text":"a dog"}}]';
  const one = importLayout(flat, size);
  assert.equal(one.form, "pixels");
  assert.deepEqual(sides(one.boxes[0]), [0.1, 0.1, 0.5, 0.5]);
  assert.equal(one.boxes[0].label, "a dog");
  assert.deepEqual(importLayout(`[${flat},[]]`, size).boxes, one.boxes);
});

// The node's own output is held to the same file by tests/core/test_boxes.py.
test("bounding boxes are exported as the node puts them out, and come back with names and colours", () => {
  const cases = JSON.parse(readFileSync(new URL("../data/bounding_boxes.json", import.meta.url), "utf8"));
  for (const { case: name, width, height, boxes, pixels } of cases) {
    const layout = parseLayout(JSON.stringify(boxes));
    const text = boundingBoxText(layout, { width, height });
    assert.deepEqual(JSON.parse(text), pixels, name);
    if (!boxes.length) continue;
    const named = ({ label, color }) => ({ label, color });
    assert.deepEqual(importLayout(text, { width, height }).boxes.map(named), layout.map(named), name);
  }
});

test("what is exported as bounding boxes comes back to the pixel", () => {
  const boxes = [
    boxOf({ x0: 0.1, y0: 0.2, x1: 0.5, y1: 0.8 }, { label: "cat" }),
    boxOf({ x0: 0, y0: 0, x1: 1, y1: 1 }),
  ];
  const back = importLayout(boundingBoxText(boxes, size), size).boxes;
  assert.deepEqual(back.map(sides), boxes.map(sides));
  assert.equal(back[0].label, "cat");
});

test("lists of four are read in the order that is named", () => {
  assert.deepEqual(sides(importLayout("[[100,50,400,200]]", size, "x0y0x1y1").boxes[0]), [0.1, 0.1, 0.4, 0.4]);
  assert.deepEqual(sides(importLayout("[[100,50,400,200]]", size, "xywh").boxes[0]), [0.1, 0.1, 0.5, 0.5]);
  assert.deepEqual(sides(importLayout("[[100,50,400,200]]", size, "y0x0y1x1_1000").boxes[0]), [0.05, 0.1, 0.2, 0.4]);
});

test("a language model's fenced answer with box_2d of a thousand is understood", () => {
  const answer = '```json\n[{"box_2d": [100, 200, 300, 400], "label": "hat"}]\n```';
  const { boxes, form } = importLayout(answer, size);
  assert.equal(form, "thousandths");
  assert.deepEqual(sides(boxes[0]), [0.2, 0.1, 0.4, 0.3]);
  assert.equal(boxes[0].label, "hat");
});

test("the readable text is the same layout", () => {
  const boxes = [boxOf({ x0: 0.1, y0: 0.2, x1: 0.5, y1: 0.8 }, { label: 'a "quoted" cat' })];
  assert.deepEqual(parseLayout(readableText(boxes)), boxes);
  assert.deepEqual(parseLayout(readableText([])), []);
});

test("a text without boxes is refused", () => {
  for (const text of ["[]", "{}", "null", "7"]) assert.throws(() => importLayout(text, size), FormatError, text);
});
