import { ACTIONS, perform } from "./input/actions.mjs";
import { api, app, isShown } from "./host/frontend.mjs";
import { loadTexts, t } from "./host/texts.mjs";
import { SETTINGS } from "./host/settings.mjs";
import { canvasOf, keepRoom, makeLayoutWidget, rehome } from "./widget.mjs";

/** The extension as ComfyUI's frontend takes it: the widget type, settings, commands and menu entries. */

const NODE = "MSDiffusionLayout";

/** How often canvases look at the graph around them; values of other nodes change without an event. */
const LOOK_AGAIN = 400;

/** @type {Set<import("./widget.mjs").LayoutCanvas>} */
const canvases = new Set();

const refreshAll = () =>
  canvases.forEach((canvas) => {
    canvas.refresh();
    canvas.stayFull();
    if (!canvas.root.isConnected) rehome(canvas.node, canvas, 1);
  });

/** The canvas of the selected layout node, or with the focus, or the only one that the node editor shows. */
function chosenCanvas() {
  const selected = [...(app.canvas?.selectedItems ?? [])].map(canvasOf).find(Boolean);
  const shown = [...canvases].filter(({ node }) => node.graph?.getNodeById(node.id) === node && isShown(node));
  return selected ?? shown.find((canvas) => canvas.session.focused) ?? (shown.length === 1 ? shown[0] : undefined);
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
  const canvas = canvasOf(node);
  if (!canvas) return;
  canvases.add(canvas);
  for (const event of ["onConfigure", "onAdded"]) {
    chain(node, event, () => {
      queueMicrotask(() => canvas.restore());
      rehome(node, canvas, 30);
    });
  }
  chain(node, "onRemoved", () => {
    canvases.delete(canvas);
    canvas.dispose();
  });
  chain(node, "onConnectionsChange", () => queueMicrotask(() => canvas.refresh()));
  chain(node, "onExecuted", (output) => {
    if (output?.msd_layout?.[0]) canvas.report = output.msd_layout[0];
    canvas.refresh();
  });
  for (const name of ["width", "height"]) {
    const widget = node.widgets?.find((/** @type {any} */ one) => one.name === name);
    if (widget) chain(widget, "callback", () => canvas.refresh());
  }
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
    command("AddPhotos", "add photos", "photo"),
    command("AddChain", "add MS-Diffusion chain", "chain"),
  ],
  keybindings: [{ commandId: "MSDiffusion.Layout.FullScreen", combo: { key: "l", ctrl: true, alt: true } }],
  getCustomWidgets: () => ({ MSD_CANVAS: makeLayoutWidget }),
  async init() {
    document.head.append(
      Object.assign(document.createElement("link"), {
        rel: "stylesheet",
        href: new URL("./layout.css", import.meta.url).href,
      }),
    );
    await loadTexts();
  },
  setup() {
    api.addEventListener("graphChanged", refreshAll);
    api.addEventListener("executed", () => setTimeout(refreshAll));
    setInterval(() => document.visibilityState === "visible" && refreshAll(), LOOK_AGAIN);
  },
  /** @param {any} node */
  nodeCreated(node) {
    if ((node.comfyClass ?? node.type) === NODE) follow(node);
  },
  /** @param {any} node */
  getNodeMenuItems(node) {
    const canvas = canvasOf(node);
    if (!canvas) return [];
    const names = ["full", "add", "photo", "spread", "transfer", "make_mine", "chain"].filter((name) => ACTIONS[name].when(canvas));
    return [
      null,
      ...names.map((name) => ({ content: t(`action.${name}`), callback: () => perform(canvas, name) })),
    ];
  },
};
