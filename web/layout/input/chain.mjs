import { buildChain } from "../host/chain.mjs";
import { asOneStep } from "../host/frontend.mjs";
import { t } from "../host/texts.mjs";

/** Adds what is missing between the layout and a sampler, as one step. @param {import("../widget.mjs").LayoutCanvas} ui */
export function addChain(ui) {
  const { made, open } = asOneStep(() => buildChain(ui.reader(), ui.node));
  ui.refresh();
  ui.invalidate();
  ui.tell("success", t("chain.added"), made.join(", "));
  if (open.length) ui.tell("warn", t("chain.open"), open.join(", "));
}
