import assert from "node:assert/strict";
import test from "node:test";
import { hearValue, Watch } from "../../web/layout/host/watch.mjs";

class Stored {
  #value = "kept";
  get value() {
    return this.#value;
  }
  set value(next) {
    this.#value = next;
  }
}

const ownAccessor = () => {
  let stored = "kept";
  return Object.defineProperty({}, "value", { configurable: true, enumerable: true, get: () => stored, set: (next) => void (stored = next) });
};
const KINDS = { data: () => ({ value: "kept" }), inherited: () => new Stored(), accessor: ownAccessor };
const noGraph = () => () => {};

for (const [kind, make] of Object.entries(KINDS)) {
  test(`a value is heard while it is watched and is as it was afterwards: ${kind}`, () => {
    const target = make();
    const before = Object.getOwnPropertyDescriptor(target, "value");
    let heard = 0;
    const stop = hearValue(target, "value", () => heard++);
    target.value = "new";
    assert.equal(target.value, "new");
    assert.equal(heard, 1);
    stop();
    target.value = "newer";
    assert.equal(heard, 1);
    assert.equal(target.value, "newer");
    const after = Object.getOwnPropertyDescriptor(target, "value");
    assert.deepEqual([after?.get, after?.set, after?.enumerable], [before?.get, before?.set, before?.enumerable]);
  });
}

test("a value that can't be heard is left alone", () => {
  const fixed = Object.defineProperty({}, "value", { value: 1, writable: true, configurable: false });
  hearValue(fixed, "value", () => {})();
  fixed.value = 2;
  assert.equal(fixed.value, 2);
});

test("two watches of one widget intercept it once, and the last to leave takes the interception away", () => {
  const widget = new Stored();
  const node = { widgets: [widget] };
  const heard = [0, 0];
  const [one, other] = [0, 1].map((k) => new Watch(() => heard[k]++, noGraph));
  one.follow([node]);
  const setter = Object.getOwnPropertyDescriptor(widget, "value").set;
  other.follow([node]);
  assert.equal(Object.getOwnPropertyDescriptor(widget, "value").set, setter);
  widget.value = "a";
  assert.deepEqual(heard, [1, 1]);
  one.stop();
  widget.value = "b";
  assert.deepEqual(heard, [1, 2]);
  other.follow([]);
  assert.equal(Object.hasOwn(widget, "value"), false);
  assert.equal(Object.hasOwn(node, "onConnectionsChange"), false);
  widget.value = "c";
  assert.deepEqual(heard, [1, 2]);
  assert.equal(widget.value, "c");
});

test("handlers that a node and a widget had go on, also those that another put over ours", () => {
  const calls = [];
  const widget = { value: 1, callback: (value) => calls.push(["callback", value]) };
  const node = { widgets: [widget], onConnectionsChange: () => calls.push(["link"]) };
  let heard = 0;
  const watch = new Watch(() => heard++, noGraph);
  watch.follow([node]);
  widget.callback(5);
  node.onConnectionsChange();
  assert.deepEqual([calls, heard], [[["callback", 5], ["link"]], 2]);
  const ours = widget.callback;
  widget.callback = (value) => (calls.push(["over"]), ours(value));
  watch.stop();
  widget.callback(6);
  assert.deepEqual(calls.slice(2), [["over"], ["callback", 6]]);
});
