/**
 * Hears of changes to nodes that were read, without asking again and again: values of their widgets, however they are
 * set, their links, mode and title. A widget's value is intercepted only while somebody watches it. Nothing here
 * touches the page.
 * @typedef {any} Node
 * @typedef {any} Widget
 */

/**
 * Who watches what, and how to stop watching it once the last one has left.
 * @type {WeakMap<object, {callbacks: Set<() => void>, restore: () => void}>}
 */
const watched = new WeakMap();

export class Watch {
  /**
   * @param {() => void} callback
   * @param {(events: any, announce: () => void) => () => void} hearGraph how to hear of a graph's nodes
   */
  constructor(callback, hearGraph) {
    this.callback = callback;
    this.hearGraph = hearGraph;
    /** @type {Set<object>} */
    this.targets = new Set();
  }

  /** Watches these nodes and no others. @param {Iterable<Node>} nodes */
  follow(nodes) {
    /** @type {Map<object, (target: any, announce: () => void) => () => void>} */
    const wanted = new Map();
    for (const node of nodes) {
      wanted.set(node, hearNode);
      for (const widget of node.widgets ?? []) wanted.set(widget, hearWidget);
      if (node.graph?.events?.addEventListener) wanted.set(node.graph.events, this.hearGraph);
    }
    for (const target of this.targets) if (!wanted.has(target)) this.leave(target);
    for (const [target, hear] of wanted) if (!this.targets.has(target)) this.join(target, hear);
  }

  stop() {
    this.follow([]);
  }

  /** @param {object} target @param {(target: any, announce: () => void) => () => void} hear */
  join(target, hear) {
    this.targets.add(target);
    const known = watched.get(target);
    if (known) return void known.callbacks.add(this.callback);
    const callbacks = new Set([this.callback]);
    watched.set(target, { callbacks, restore: hear(target, announcing(callbacks)) });
  }

  /** @param {object} target */
  leave(target) {
    this.targets.delete(target);
    const known = watched.get(target);
    known?.callbacks.delete(this.callback);
    if (!known || known.callbacks.size) return;
    watched.delete(target);
    known.restore();
  }
}

/** Outside of any watch, so that what hears holds none of them. @param {Set<() => void>} callbacks */
const announcing = (callbacks) => () => callbacks.forEach((callback) => callback());

/** @param {Node} node @param {() => void} announce */
const hearNode = (node, announce) => hearCalls(node, "onConnectionsChange", announce);

/** @param {Widget} widget @param {() => void} announce */
function hearWidget(widget, announce) {
  const stops = [hearCalls(widget, "callback", announce), hearValue(widget, "value", announce)];
  return () => stops.forEach((stop) => stop());
}

/** @param {any} target @param {string} name @param {() => void} announce */
function hearCalls(target, name, announce) {
  const own = Object.hasOwn(target, name);
  const before = target[name];
  const wrapper = function (/** @type {any[]} */ ...values) {
    // @ts-ignore: called as a method of whoever has it
    const result = before?.apply(this, values);
    announce();
    return result;
  };
  target[name] = wrapper;
  return () => {
    if (target[name] !== wrapper) return;
    if (own) target[name] = before;
    else delete target[name];
  };
}

/**
 * Hears whenever a property is set; what it was, data or accessor, it is again afterwards.
 * @param {any} target @param {string} name @param {() => void} announce @returns {() => void} how to stop
 */
export function hearValue(target, name, announce) {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const found = own ?? inherited(target, name);
  if (!found || (own && !own.configurable) || (!found.set && !found.writable)) return () => {};
  let stored = found.value;
  /** @type {PropertyDescriptor} */
  const interception = {
    configurable: true,
    enumerable: Boolean(own?.enumerable),
    get() {
      return found.get ? found.get.call(this) : stored;
    },
    set(value) {
      if (found.set) found.set.call(this, value);
      else stored = value;
      announce();
    },
  };
  Object.defineProperty(target, name, interception);
  return () => {
    if (Object.getOwnPropertyDescriptor(target, name)?.set !== interception.set) return;
    if (!own) delete target[name];
    else Object.defineProperty(target, name, found.set ? own : { ...own, value: stored });
  };
}

/** @param {object} target @param {string} name @returns {PropertyDescriptor | undefined} */
function inherited(target, name) {
  const above = Object.getPrototypeOf(target);
  return above && (Object.getOwnPropertyDescriptor(above, name) ?? inherited(above, name));
}
