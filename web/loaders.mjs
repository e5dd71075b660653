/**
 * Tells the page where the file of a loader is had, as templates do, so that it is offered for a node added by hand too.
 * @typedef {{name: string, url: string, directory: string}} ModelFile
 */

/** By node type. @type {Record<string, ModelFile>} */
const RELEASED = {
  MSDiffusionAdapterLoader: {
    name: "ms_adapter.bin",
    url: "https://huggingface.co/doge1516/MS-Diffusion/resolve/main/ms_adapter.bin",
    directory: "msdiffusion",
  },
  MSDiffusionOpenCLIPVision: {
    name: "open_clip_pytorch_model.bin",
    url: "https://huggingface.co/laion/CLIP-ViT-bigG-14-laion2B-39B-b160k/resolve/main/open_clip_pytorch_model.bin",
    directory: "clip_vision",
  },
};

export const EXTENSION = {
  name: "MSDiffusion.Loaders",
  /** @param {any} node */
  nodeCreated(node) {
    const file = RELEASED[node.comfyClass ?? node.type];
    if (file) node.properties.models ??= [{ ...file }];
  },
};
