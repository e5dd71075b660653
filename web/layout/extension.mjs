import { ACTIONS, perform } from "./input/actions.mjs";
import { ownsFocus } from "./input/focus.mjs";
import { api, isShown, selectedNodes } from "./host/frontend.mjs";
import { loadTexts, t } from "./host/texts.mjs";
import { SETTINGS } from "./host/settings.mjs";
import { allCanvases, canvasOf, keepRoom, letGo, makeLayoutWidget, seatOf } from "./seat.mjs";

/** The extension as ComfyUI's frontend takes it: the widget type, settings, commands and menu entries. */

const NODE = "MSDiffusionLayout";

const lookAll = () => allCanvases().forEach((canvas) => canvas.look());

/** The canvas of the selected layout node, or with the focus, or the only one that the node editor shows. */
function chosenCanvas() {
  const selected = selectedNodes().map(canvasOf).find(Boolean);
  const shown = allCanvases().filter(({ node }) => node.graph?.getNodeById(node.id) === node && isShown(node));
  return selected ?? shown.find(ownsFocus) ?? (shown.length === 1 ? shown[0] : undefined);
}

/** @param {string} id @param {string} label @param {string} action */
const command = (id, label, action) => ({
  id: `MSDiffusion.Layout.${id}`,
  label: `MS-Diffusion layout: ${label}`,
  function: () => {
    const canvas = chosenCanvas();
    if (canvas) perform(canvas, action);
  },
});

/**
 * Adds a handler to one the node may have already.
 * @param {any} node
 * @param {string} name
 * @param {(...values: any[]) => void} added
 */
function chain(node, name, added) {
  const before = node[name];
  node[name] = function (/** @type {any[]} */ ...values) {
    const result = before?.apply(this, values);
    added.apply(this, values);
    return result;
  };
}

/** @param {any} node */
function follow(node) {
  const seat = seatOf(node);
  if (!seat) return;
  chain(node, "onAdded", () => seat.settle(node));
  chain(node, "onConfigure", () => seat.settle(node));
  chain(node, "onRemoved", () => seat.leave());
  chain(node, "onConnectionsChange", () => seat.canvas?.look());
  chain(node, "onExecuted", (output) => {
    if (seat.canvas && output?.msd_layout?.[0]) seat.canvas.report = output.msd_layout[0];
    seat.canvas?.look();
  });
  keepRoom(node);
}

export const EXTENSION = {
  name: "MSDiffusion.Layout",
  settings: SETTINGS,
  commands: [
    command("FullScreen", "full screen", "full"),
    command("AddBox", "add a box", "add"),
    command("Spread", "spread a box per subject", "spread"),
    command("Transfer", "import or export", "transfer"),
    command("Snap", "snapping on or off", "snap"),
    command("Grid", "grid on or off", "grid"),
    command("MakeMine", "make linked boxes mine", "make_mine"),
    command("Land", "make auto layout's places the layout", "land"),
    command("Paint", "paint a region", "paint"),
    command("MoveApart", "move overlapping boxes apart", "apart"),
    command("AddPhotos", "add photos", "photo"),
    command("AddChain", "add MS-Diffusion chain", "chain"),
  ],
  keybindings: [{ commandId: "MSDiffusion.Layout.FullScreen", combo: { key: "l", ctrl: true, alt: true } }],
  getCustomWidgets: () => ({ MSD_CANVAS: makeLayoutWidget }),
  async init() {
    // One sheet for all canvases, there before the first: within a canvas it would come after its first paint.
    document.head.append(
      Object.assign(document.createElement("link"), {
        rel: "stylesheet",
        href: new URL("./layout.css", import.meta.url).href,
      }),
    );
    await loadTexts();
  },
  setup() {
    for (const event of ["graphChanged", "executed"]) api.addEventListener(event, lookAll);
    api.addEventListener("graphCleared", () => queueMicrotask(letGo));
    window.addEventListener("visibilitychange", () => document.visibilityState === "visible" && lookAll());
  },
  afterConfigureGraph() {
    // After the canvases of this turn have taken up what was left to them.
    queueMicrotask(letGo);
    lookAll();
  },
  /** @param {any} node */
  nodeCreated(node) {
    if ((node.comfyClass ?? node.type) === NODE) follow(node);
  },
  /** @param {any} node */
  getNodeMenuItems(node) {
    const canvas = canvasOf(node);
    if (!canvas) return [];
    const names = ["full", "add", "photo", "spread", "transfer", "make_mine", "land", "chain"].filter((name) => ACTIONS[name].when(canvas));
    return [
      null,
      ...names.map((name) => ({ content: t(`action.${name}`), callback: () => perform(canvas, name) })),
    ];
  },
};
