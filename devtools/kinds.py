"""The node types that the example workflows use; tests compare this table with the server's own."""

from .graphs import Kind

_PERCENT = {"start_percent": ("FLOAT", 0.0), "end_percent": ("FLOAT", 1.0)}

KINDS = {
    "MSDiffusionDemoModels": Kind(
        outputs={
            "model": "MODEL", "clip": "CLIP", "vae": "VAE", "clip_vision": "CLIP_VISION", "adapter": "MSD_ADAPTER",
            "control_net": "CONTROL_NET",
        },
    ),
    "MSDiffusionDemoSubject": Kind(
        widgets={"kind": ("COMBO", "cat"), "seed": ("INT", 1), "size": ("INT", 256)},
        outputs={"image": "IMAGE", "mask": "MASK", "phrase": "STRING"},
        controls={"seed": "fixed"},
    ),
    "LoadImage": Kind(
        widgets={"image": ("COMBO", "")},
        outputs={"IMAGE": "IMAGE", "MASK": "MASK"},
        controls={"image": "image"},
    ),
    "CheckpointLoaderSimple": Kind(
        widgets={"ckpt_name": ("COMBO", "")},
        outputs={"MODEL": "MODEL", "CLIP": "CLIP", "VAE": "VAE"},
    ),
    "CLIPVisionLoader": Kind(widgets={"clip_name": ("COMBO", "")}, outputs={"CLIP_VISION": "CLIP_VISION"}),
    "LoraLoaderModelOnly": Kind(
        sockets={"model": "MODEL"},
        widgets={"lora_name": ("COMBO", ""), "strength_model": ("FLOAT", 1.0)},
        outputs={"MODEL": "MODEL"},
    ),
    "MSDiffusionAdapterLoader": Kind(widgets={"adapter_name": ("COMBO", "")}, outputs={"adapter": "MSD_ADAPTER"}),
    "LoadBackgroundRemovalModel": Kind(
        widgets={"bg_removal_name": ("COMBO", "")},
        outputs={"bg_model": "BACKGROUND_REMOVAL"},
    ),
    "RemoveBackground": Kind(
        sockets={"bg_removal_model": "BACKGROUND_REMOVAL", "image": "IMAGE"},
        outputs={"mask": "MASK"},
    ),
    "MSDiffusionSubject": Kind(
        sockets={"image": "IMAGE", "mask": "MASK?"},
        widgets={
            "phrase": ("STRING", ""), "weight": ("FLOAT", 1.0), "fit": ("COMBO", "stretch"), **_PERCENT,
            "mask_is": ("COMBO", "subject"),
        },
        outputs={"subject": "MSD_SUBJECT", "preview": "IMAGE"},
    ),
    "MSDiffusionLayout": Kind(
        sockets={"background": "IMAGE?", "bounding_boxes": "BOUNDING_BOX,BOUNDING_BOXES?", "masks": "MASK?"},
        widgets={"width": ("INT", 1024), "height": ("INT", 1024), "boxes": ("STRING", ""), "overlap": ("COMBO", "mix")},
        outputs={
            "layout": "MSD_LAYOUT", "width": "INT", "height": "INT", "masks": "MASK", "preview": "IMAGE",
            "bounding_boxes": "BOUNDING_BOX",
        },
    ),
    "MSDiffusionEncode": Kind(
        sockets={
            "adapter": "MSD_ADAPTER", "clip_vision": "CLIP_VISION", "clip": "CLIP", "layout": "MSD_LAYOUT",
            "subjects.subject*": "MSD_SUBJECT",
        },
        widgets={"grounding": ("BOOLEAN", True)},
        outputs={"embeds": "MSD_EMBEDS"},
    ),
    "MSDiffusionApply": Kind(
        sockets={"model": "MODEL", "embeds": "MSD_EMBEDS", "auto_layout": "MSD_AUTO_LAYOUT?"},
        widgets={
            "scale": ("FLOAT", 0.6), **_PERCENT,
            "down_weight": ("FLOAT", 1.0), "mid_weight": ("FLOAT", 1.0), "up_weight": ("FLOAT", 1.0),
        },
        outputs={"model": "MODEL"},
    ),
    "MSDiffusionAutoLayout": Kind(
        sockets={"clip": "CLIP"},
        widgets={
            "prompt": ("STRING", ""), "threshold": ("FLOAT", 0.5), "start_step": ("INT", 5),
            "before_start": ("COMBO", "boxes"), "absent_phrase": ("COMBO", "keep box"),
            "method": ("COMBO", "steady"),
        },
        outputs={"auto_layout": "MSD_AUTO_LAYOUT"},
    ),
    "MSDiffusionBlend": Kind(
        sockets={"embeds_a": "MSD_EMBEDS", "embeds_b": "MSD_EMBEDS"},
        widgets={"amount": ("FLOAT", 0.5), "mode": ("COMBO", "linear"), "frames": ("INT", 1)},
        outputs={"embeds": "MSD_EMBEDS"},
    ),
    "MSDiffusionCropEmbeds": Kind(
        sockets={"embeds": "MSD_EMBEDS"},
        widgets={
            "x": ("INT", 0), "y": ("INT", 0), "width": ("INT", 512), "height": ("INT", 512),
            "frame_width": ("INT", 1024), "frame_height": ("INT", 1024),
        },
        outputs={"embeds": "MSD_EMBEDS"},
    ),
    "MSDiffusionCollage": Kind(
        sockets={"layout": "MSD_LAYOUT", "subjects.subject*": "MSD_SUBJECT", "background": "IMAGE?"},
        widgets={"fit": ("COMBO", "whole")},
        outputs={"image": "IMAGE", "mask": "MASK"},
    ),
    "MSDiffusionAttribution": Kind(
        sockets={"model": "MODEL", "embeds": "MSD_EMBEDS", "clip": "CLIP"},
        widgets={"prompt": ("STRING", "")},
        outputs={"model": "MODEL", "attribution": "MSD_ATTRIBUTION"},
    ),
    "MSDiffusionAttributionMaps": Kind(
        sockets={"attribution": "MSD_ATTRIBUTION", "images": "IMAGE"},
        widgets={"source": ("COMBO", "subject")},
        outputs={"maps": "IMAGE", "masks": "MASK"},
    ),
    "MSDiffusionScore": Kind(
        sockets={
            "images": "IMAGE", "subjects.subject*": "MSD_SUBJECT", "layout": "MSD_LAYOUT?", "embeds": "MSD_EMBEDS?",
        },
        widgets={
            "prompt": ("STRING", ""), "clip": ("COMBO", "none"), "dino": ("COMBO", "none"),
            "dinov2": ("COMBO", "none"), "detector": ("COMBO", "none"), "clip_model": ("STRING", "ViT-B-32-quickgelu"),
        },
        outputs={"report": "STRING", "scores": "STRING"},
    ),
    "PreviewAny": Kind(sockets={"source": "*"}),
    "PrimitiveStringMultiline": Kind(widgets={"value": ("STRING", "")}, outputs={"STRING": "STRING"}),
    "PrimitiveInt": Kind(widgets={"value": ("INT", 0)}, outputs={"INT": "INT"}, controls={"value": "fixed"}),
    "CLIPTextEncode": Kind(
        sockets={"clip": "CLIP"},
        widgets={"text": ("STRING", "")},
        outputs={"CONDITIONING": "CONDITIONING"},
    ),
    "ConditioningSetMask": Kind(
        sockets={"conditioning": "CONDITIONING", "mask": "MASK"},
        widgets={"strength": ("FLOAT", 1.0), "set_cond_area": ("COMBO", "default")},
        outputs={"CONDITIONING": "CONDITIONING"},
    ),
    "ConditioningCombine": Kind(
        sockets={"conditioning_1": "CONDITIONING", "conditioning_2": "CONDITIONING"},
        outputs={"CONDITIONING": "CONDITIONING"},
    ),
    "EmptyLatentImage": Kind(
        widgets={"width": ("INT", 512), "height": ("INT", 512), "batch_size": ("INT", 1)},
        outputs={"LATENT": "LATENT"},
    ),
    "KSampler": Kind(
        sockets={
            "model": "MODEL", "positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT",
        },
        widgets={
            "seed": ("INT", 0), "steps": ("INT", 20), "cfg": ("FLOAT", 8.0), "sampler_name": ("COMBO", "euler"),
            "scheduler": ("COMBO", "simple"), "denoise": ("FLOAT", 1.0),
        },
        outputs={"LATENT": "LATENT"},
        controls={"seed": "fixed"},
    ),
    "LatentUpscaleBy": Kind(
        sockets={"samples": "LATENT"},
        widgets={"upscale_method": ("COMBO", "nearest-exact"), "scale_by": ("FLOAT", 1.5)},
        outputs={"LATENT": "LATENT"},
    ),
    "LatentCrop": Kind(
        sockets={"samples": "LATENT"},
        widgets={"width": ("INT", 512), "height": ("INT", 512), "x": ("INT", 0), "y": ("INT", 0)},
        outputs={"LATENT": "LATENT"},
    ),
    "LatentComposite": Kind(
        sockets={"samples_to": "LATENT", "samples_from": "LATENT"},
        widgets={"x": ("INT", 0), "y": ("INT", 0), "feather": ("INT", 0)},
        outputs={"LATENT": "LATENT"},
    ),
    "VAEEncode": Kind(sockets={"pixels": "IMAGE", "vae": "VAE"}, outputs={"LATENT": "LATENT"}),
    "VAEDecode": Kind(sockets={"samples": "LATENT", "vae": "VAE"}, outputs={"IMAGE": "IMAGE"}),
    "SaveImage": Kind(sockets={"images": "IMAGE"}, widgets={"filename_prefix": ("STRING", "ComfyUI")}),
    "EmptyImage": Kind(
        widgets={
            "width": ("INT", 512), "height": ("INT", 512), "batch_size": ("INT", 1), "color": ("INT", 0),
        },
        outputs={"IMAGE": "IMAGE"},
    ),
    "PreviewImage": Kind(sockets={"images": "IMAGE"}),
    "ImageScaleBy": Kind(
        sockets={"image": "IMAGE"},
        widgets={"upscale_method": ("COMBO", "nearest-exact"), "scale_by": ("FLOAT", 1.0)},
        outputs={"IMAGE": "IMAGE"},
    ),
    "ImageFromBatch": Kind(
        sockets={"image": "IMAGE"},
        widgets={"batch_index": ("INT", 0), "length": ("INT", 1)},
        outputs={"IMAGE": "IMAGE"},
    ),
    "ImageToMask": Kind(
        sockets={"image": "IMAGE"},
        widgets={"channel": ("COMBO", "red")},
        outputs={"MASK": "MASK"},
    ),
    "BatchImagesNode": Kind(sockets={"images.image*": "IMAGE"}, outputs={"IMAGE": "IMAGE"}),
    "ImageFlip": Kind(
        sockets={"image": "IMAGE"},
        widgets={"flip_method": ("COMBO", "y-axis: horizontally")},
        outputs={"IMAGE": "IMAGE"},
    ),
    "ImageCompositeMasked": Kind(
        sockets={"destination": "IMAGE", "source": "IMAGE", "mask": "MASK?"},
        widgets={"x": ("INT", 0), "y": ("INT", 0), "resize_source": ("BOOLEAN", False)},
        outputs={"IMAGE": "IMAGE"},
    ),
    "Canny": Kind(
        sockets={"image": "IMAGE"},
        widgets={"low_threshold": ("FLOAT", 0.4), "high_threshold": ("FLOAT", 0.8)},
        outputs={"IMAGE": "IMAGE"},
    ),
    "SolidMask": Kind(
        widgets={"value": ("FLOAT", 1.0), "width": ("INT", 512), "height": ("INT", 512)},
        outputs={"MASK": "MASK"},
    ),
    "MaskComposite": Kind(
        sockets={"destination": "MASK", "source": "MASK"},
        widgets={"x": ("INT", 0), "y": ("INT", 0), "operation": ("COMBO", "add")},
        outputs={"MASK": "MASK"},
    ),
    "GrowMask": Kind(
        sockets={"mask": "MASK"},
        widgets={"expand": ("INT", 0), "tapered_corners": ("BOOLEAN", True)},
        outputs={"MASK": "MASK"},
    ),
    "MaskToImage": Kind(sockets={"mask": "MASK"}, outputs={"IMAGE": "IMAGE"}),
    "BatchMasksNode": Kind(sockets={"masks.mask*": "MASK"}, outputs={"MASK": "MASK"}),
    "MaskPreview": Kind(sockets={"mask": "MASK"}, outputs={"mask": "MASK"}),
    "ControlNetLoader": Kind(
        widgets={"control_net_name": ("COMBO", "")},
        outputs={"CONTROL_NET": "CONTROL_NET"},
    ),
    "ControlNetApplyAdvanced": Kind(
        sockets={
            "positive": "CONDITIONING", "negative": "CONDITIONING", "control_net": "CONTROL_NET", "image": "IMAGE",
            "vae": "VAE?",
        },
        widgets={"strength": ("FLOAT", 1.0), **_PERCENT},
        outputs={"positive": "CONDITIONING", "negative": "CONDITIONING"},
    ),
}  # fmt: skip
