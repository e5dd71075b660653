/**
 * The released files by the node that loads them, as the page offers them for download. Server and templates know the
 * same (tests/host/test_adapter_loader.py).
 * @typedef {{name: string, url: string, directory: string}} ModelFile
 */

/** @type {Record<string, ModelFile>} */
export const RELEASED = {
  CheckpointLoaderSimple: {
    name: "sd_xl_base_1.0.safetensors",
    url: "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
    directory: "checkpoints",
  },
  CLIPVisionLoader: {
    name: "CLIP-ViT-bigG-14.safetensors",
    url: "https://huggingface.co/h94/IP-Adapter/resolve/main/sdxl_models/image_encoder/model.safetensors",
    directory: "clip_vision",
  },
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
