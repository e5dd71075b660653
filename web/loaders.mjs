import { RELEASED } from "./layout/model/released.mjs";

/** Tells the page where the file of the pack's loaders is had, as templates do, for a node added by hand too. */
export const EXTENSION = {
  name: "MSDiffusion.Loaders",
  /** @param {any} node */
  nodeCreated(node) {
    const type = node.comfyClass ?? node.type;
    if (type.startsWith("MSDiffusion") && RELEASED[type]) node.properties.models ??= [{ ...RELEASED[type] }];
  },
};
