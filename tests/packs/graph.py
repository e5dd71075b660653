"""Graphs for the server in short: a node is called by its type, and stands for its first output when linked."""

import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any

PROMPT = "a cat and a robot on the grass"
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
SUBJECTS = (("cat", 8), ("robot", 6))


class Node:
    """A node of a graph; `node[1]` is its second output."""

    def __init__(self, type: str, inputs: dict[str, Any], output: int = 0, number: str = ""):
        self.type, self.inputs, self.output, self.number = type, inputs, output, number

    def __getitem__(self, output: int) -> "Node":
        return Node(self.type, self.inputs, output, self.number)

    def __repr__(self) -> str:
        return f"{self.type} {self.number}"


class Scene:
    """The demo models, two subjects in the halves of a small frame, and a prompt."""

    def __init__(self, width: int = 128, height: int = 128):
        self.width, self.height = width, height
        self._numbers = itertools.count(1)
        self.models = self.node("MSDiffusionDemoModels")
        self.model, self.clip, self.vae, self.clip_vision, self.adapter = (self.models[slot] for slot in range(5))
        self.positive, self.negative = self.text(PROMPT), self.text("blurry, low quality")

    def node(self, type: str, **inputs: Any) -> Node:
        """A node; inputs that its schema requires and that are not given take the schema's defaults."""
        return Node(type, inputs, number=str(next(self._numbers)))

    def text(self, text: str, clip: Node | None = None) -> Node:
        return self.node("CLIPTextEncode", clip=clip or self.clip, text=text)

    def photo(self, kind: str = "cat", seed: int = 8, size: int = 64) -> Node:
        return self.node("MSDiffusionDemoSubject", kind=kind, seed=seed, size=size)

    def mask(self, left: float, right: float) -> Node:
        """A mask that is white between two shares of the width."""
        start, end = int(left * self.width), int(right * self.width)
        black = self.node("SolidMask", value=0.0, width=self.width, height=self.height)
        white = self.node("SolidMask", value=1.0, width=end - start, height=self.height)
        return self.node("MaskComposite", destination=black, source=white, x=start, y=0, operation="add")

    def embeds(self, boxes=(LEFT, RIGHT), subjects=SUBJECTS, width: int = 0, height: int = 0) -> Node:
        """Encoded subjects, one for each box; the layout's frame is the scene's unless it is given."""
        text = json.dumps({"boxes": [list(box) for box in boxes]})
        layout = self.node("MSDiffusionLayout", width=width or self.width, height=height or self.height, boxes=text)
        named = {}
        for index, (kind, seed) in enumerate(subjects[: len(boxes)]):
            drawn = self.photo(kind, seed, 256)
            named[f"subjects.subject{index}"] = self.node("MSDiffusionSubject", image=drawn, phrase=kind, weight=1.0)
        return self.node(
            "MSDiffusionEncode", adapter=self.adapter, clip_vision=self.clip_vision, clip=self.clip, layout=layout,
            grounding=True, **named,
        )  # fmt: skip

    def apply(self, model: Node | None = None, scale: float = 1.0, embeds: Node | None = None, **inputs: Any) -> Node:
        """The subjects on a model."""
        return self.node(
            "MSDiffusionApply", model=model or self.model, embeds=embeds or self.embeds(), scale=scale, **inputs
        )

    def auto_layout(
        self, prompt: str = PROMPT, start_step: int = 2, clip: Node | None = None, method: str = "paper", **inputs: Any
    ) -> Node:
        return self.node(
            "MSDiffusionAutoLayout", clip=clip or self.clip, prompt=prompt, start_step=start_step, threshold=0.5,
            method=method, **inputs,
        )  # fmt: skip

    def noise(self, batch: int = 1) -> Node:
        return self.node("EmptyLatentImage", width=self.width, height=self.height, batch_size=batch)

    def sample(self, model: Node | None = None, batch: int = 1, **inputs: Any) -> Node:
        """What KSampler makes of a model in a few steps."""
        given = {
            "positive": self.positive, "negative": self.negative, "steps": 3, "cfg": 2.0, "seed": 7,
            "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        }  # fmt: skip
        if "latent_image" not in inputs:
            inputs["latent_image"] = self.noise(batch)
        return self.node("KSampler", model=model or self.model, **{**given, **inputs})

    def predictions(self, side: str, put_on: Callable[[Node], Node], number: int = -1, **inputs: Any) -> Node:
        """What a run of one step predicts for the "negative" or "positive" conditioning.

        Args:
            put_on: from the model to the one that samples. What is recorded begins before it, so that evaluations with
                options copied in between are recorded too.
            number: which prediction, counted from 0; all as a batch if below 0.
        """
        name = uuid.uuid4().hex
        recorded = put_on(self.node("StandInRecorder", model=self.model, name=name, side=side))
        sampled = self.sample(recorded, **{"steps": 1, **inputs})
        return self.node("StandInRecorded", samples=sampled, name=name, number=number)


def upstream(node: Node) -> dict[str, Node]:
    """A node and all that it needs, by number."""
    found, open_nodes = {}, [node]
    while open_nodes:
        node = open_nodes.pop()
        if node.number not in found:
            found[node.number] = node
            open_nodes += [value for value in node.inputs.values() if isinstance(value, Node)]
    return found


def as_api(nodes: dict[str, Node], schemas: dict[str, dict]) -> dict:
    """Nodes as `/prompt` takes them."""
    return {
        number: {
            "class_type": node.type,
            "inputs": {
                name: [value.number, value.output] if isinstance(value, Node) else value
                for name, value in (_defaults(schemas[node.type]) | node.inputs).items()
            },
        }
        for number, node in nodes.items()
    }


def _defaults(schema: dict) -> dict[str, Any]:
    """What a schema's required widgets hold when a node is placed."""
    found = {}
    for name, (type, *options) in schema["input"].get("required", {}).items():
        settings = options[0] if options else {}
        choices = type if isinstance(type, list) else settings.get("options", [])
        if "default" in settings:
            found[name] = settings["default"]
        elif choices:
            found[name] = choices[0]
        elif type == "STRING":
            found[name] = ""
    return found
