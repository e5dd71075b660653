"""A running ComfyUI, driven through its HTTP API with the pack's own nodes."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..samples import Picture
from .engine import Gone, Order, Settings

POLL = 0.1
LONGEST = 3600.0
FOLDER = "msd_bench"


@dataclass(frozen=True)
class ServerModels:
    """The model files by the server's own names; all None for the pack's demo set."""

    checkpoint: str | None = None
    adapter: str | None = None
    clip_vision: str | None = None


class ComfyEngine:
    """Makes pictures on one ComfyUI server."""

    def __init__(self, server: str, models: ServerModels, settings: Settings) -> None:
        """
        Args:
            server: its address, as `127.0.0.1:8188` or `http://...`.

        Raises:
            ValueError: no ComfyUI with this pack answers there, or it lacks a model file.
        """
        self.url = (server if "://" in server else f"http://{server}").rstrip("/")
        self.name = f"comfyui at {self.url}"
        self.models, self.settings = models, settings
        self._uploaded: set[str] = set()
        self._client = uuid.uuid4().hex
        try:
            known = json.loads(self._get("/object_info/MSDiffusionApply"))
        except Gone as error:
            raise ValueError(f"{error}: start ComfyUI there, or correct --server.") from None
        if "MSDiffusionApply" not in known:
            raise ValueError(f"The ComfyUI at {self.url} lacks this pack: install it there and start it again.")

    def make(self, order: Order) -> Tensor:
        made = []
        for seed in order.seeds:
            pictures = self._run(self._graph(order, seed))
            if len(pictures) != 1:
                raise RuntimeError(f"The server gave {len(pictures)} pictures for a seed but 1 is needed.")
            made.append(pictures[0])
        return torch.stack(made)

    def _graph(self, order: Order, seed: int) -> dict[str, Any]:
        """The workflow of one picture, in the server's format."""
        nodes: dict[str, Any] = {}

        def add(kind: str, **inputs: Any) -> str:
            nodes[str(len(nodes) + 1)] = {"class_type": kind, "inputs": inputs}
            return str(len(nodes))

        settings, models, condition = self.settings, self.models, order.condition
        if models.checkpoint is None:
            demo = add("MSDiffusionDemoModels")
            model, clip, vae, clip_vision, adapter = ([demo, slot] for slot in range(5))
        else:
            checkpoint = add("CheckpointLoaderSimple", ckpt_name=models.checkpoint)
            model, clip, vae = ([checkpoint, slot] for slot in range(3))
            clip_vision = [add("CLIPVisionLoader", clip_name=models.clip_vision), 0]
            adapter = [add("MSDiffusionAdapterLoader", adapter_name=models.adapter), 0]
        if condition.adapter and order.subjects:
            boxes = json.dumps({"boxes": [list(subject.box) for subject in order.subjects]})
            layout = add("MSDiffusionLayout", width=settings.width, height=settings.height, boxes=boxes,
                         overlap=condition.overlap)
            subjects = {f"subjects.subject{number}": [self._subject(add, subject.phrase, subject.pictures), 0]
                        for number, subject in enumerate(order.subjects)}
            embeds = add("MSDiffusionEncode", adapter=adapter, clip_vision=clip_vision, clip=clip, layout=[layout, 0],
                         grounding=condition.grounding, **subjects)
            following = {}
            if condition.auto_layout is not None:
                following["auto_layout"] = [add("MSDiffusionAutoLayout", clip=clip, prompt=order.prompt, threshold=0.5,
                                                start_step=5, method=condition.auto_layout), 0]
            model = [add("MSDiffusionApply", model=model, embeds=[embeds, 0], scale=settings.scale, start_percent=0.0,
                         end_percent=1.0, **following), 0]
        latent = add("EmptyLatentImage", width=settings.width, height=settings.height, batch_size=1)
        sampled = add(
            "KSampler", model=model, seed=seed, steps=settings.steps, cfg=settings.guidance, sampler_name="euler",
            scheduler=settings.schedule, denoise=1.0, latent_image=[latent, 0],
            positive=[add("CLIPTextEncode", clip=clip, text=order.prompt), 0],
            negative=[add("CLIPTextEncode", clip=clip, text=settings.negative), 0],
        )
        add("PreviewImage", images=[add("VAEDecode", samples=[sampled, 0], vae=vae), 0])
        return nodes

    def _subject(self, add: Any, phrase: str, pictures: tuple[Picture, ...]) -> str:
        """A subject of one photo; where that is transparent, its alpha cuts it out."""
        if len(pictures) != 1:
            raise ValueError(
                f"{phrase!r} has {len(pictures)} views but this engine links 1: use --engine headless."
            )
        picture = pictures[0].open()
        loaded = add("LoadImage", image=self._upload(picture))
        cut = {"mask": [loaded, 1], "mask_is": "background"} if "A" in picture.getbands() else {}
        return add("MSDiffusionSubject", image=[loaded, 0], phrase=phrase, weight=1.0, fit="stretch", **cut)

    def _upload(self, picture: Any) -> str:
        """Put a picture into the server's input folder under a name that is its content's; the name."""
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        content = buffer.getvalue()
        name = f"{hashlib.sha256(content).hexdigest()[:24]}.png"
        if name not in self._uploaded:
            mark = uuid.uuid4().hex
            parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
                     for key, value in (("subfolder", FOLDER), ("overwrite", "true"))]
            parts += [f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
                      "Content-Type: image/png\r\n\r\n".encode(), content, f"\r\n--{mark}--\r\n".encode()]
            self._ask(urllib.request.Request(
                f"{self.url}/upload/image", b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={mark}"}
            ))
            self._uploaded.add(name)
        return f"{FOLDER}/{name}"

    def _run(self, graph: dict[str, Any]) -> list[Tensor]:
        """Run a workflow and fetch its previews."""
        body = json.dumps({"prompt": graph, "client_id": self._client}).encode()
        request = urllib.request.Request(f"{self.url}/prompt", body, {"Content-Type": "application/json"})
        number = json.loads(self._ask(request))["prompt_id"]
        deadline = time.monotonic() + LONGEST
        while not (entry := json.loads(self._get(f"/history/{number}")).get(number)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"The server was not done with a picture after {LONGEST:.0f} s.")
            time.sleep(POLL)
        if entry["status"]["status_str"] != "success":
            raise RuntimeError(_what_failed(entry))
        found = [image for output in entry["outputs"].values() for image in output.get("images", [])]
        return [self._view(image) for image in found]

    def _view(self, image: dict[str, str]) -> Tensor:
        from PIL import Image

        keys = ("filename", "subfolder", "type")
        content = self._get(f"/view?{urllib.parse.urlencode({key: image[key] for key in keys})}")
        with Image.open(io.BytesIO(content)) as picture:
            return torch.from_numpy(np.asarray(picture.convert("RGB")).astype(np.float32) / 255)

    def _get(self, path: str) -> bytes:
        return self._ask(urllib.request.Request(self.url + path))

    def _ask(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.read()
        except urllib.error.HTTPError as refusal:
            raise RuntimeError(_refusal(refusal.code, refusal.read())) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Gone(f"The ComfyUI at {self.url} does not answer ({reason})") from None


def _refusal(code: int, body: bytes) -> str:
    """Why the server turned a request down, in one line."""
    try:
        answer = json.loads(body)
        told = [answer["error"]["message"]]
        for node in answer.get("node_errors", {}).values():
            told += [f"{node.get('class_type')}: {error['message']} {error.get('details', '')}".strip()
                     for error in node.get("errors", [])]
        return "; ".join(told)
    except (ValueError, KeyError, TypeError):
        return f"HTTP {code}"


def _what_failed(entry: dict[str, Any]) -> str:
    for name, data in entry["status"].get("messages", []):
        if name == "execution_error":
            said = (data["exception_message"].strip().splitlines() or [data["exception_type"]])[0]
            return f"{data['node_type']}: {said}"
    return f"The workflow ended as {entry['status']['status_str']!r}"
