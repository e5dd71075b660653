"""Writes the subgraph blueprints: `subgraphs/*.json`, which the host lists in its library of nodes.

Usage, from the pack's folder: python -m devtools.blueprints
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

from .files import BACKGROUND_REMOVAL
from .graphs import Graph, Kind, Node, Output, as_text
from .host import PACK
from .kinds import KINDS
from .plan import APPLY_HEIGHT, ENCODE_HEIGHT, GAP, PATCH_WIDTH, SUBJECT_WIDTH

BLUEPRINTS = PACK / "subgraphs"
CATEGORY = "MS-Diffusion"
INPUT_NODE, OUTPUT_NODE = -10, -20
"""The frontend's ids for a subgraph's two edges."""
EDGE_WIDTH, ROW = 140, 20
OUTSIDE_WIDTH = 300
"""At which the node's title is not cut."""


@dataclass(frozen=True)
class Socket:
    """An input of a blueprint.

    Attributes:
        type: socket type.
        widget: the value that its widget starts with; without one it is only a socket.
    """

    type: str
    widget: Any = None


@dataclass
class Blueprint:
    """A subgraph under construction.

    Attributes:
        title: its name in the library, and of its file.
        inputs: input name -> socket.
        outputs: output name -> what inside it leads out.
    """

    title: str
    description: str
    inputs: dict[str, Socket]
    outputs: dict[str, Output] = field(default_factory=dict)

    def __post_init__(self):
        self.graph = Graph(self.title, KINDS)
        kind = Kind(outputs={name: socket.type for name, socket in self.inputs.items()})
        self._edge = Node(INPUT_NODE, "", kind, (0, 0), (0, 0), {})

    def __getitem__(self, name: str) -> Output:
        """An input, as nodes inside link to it."""
        return self._edge[name]

    def to_json(self) -> dict:
        """The blueprint as the host keeps it: a workflow of one node, and what is inside of it."""
        inside = self.graph.to_ui()
        links = [_link(*link) for link in inside["links"]]
        nodes = {node["id"]: node for node in inside["nodes"]}
        for slot, output in enumerate(self.outputs.values()):
            number = len(links) + 1
            links.append(_link(number, output.node.id, output.slot, OUTPUT_NODE, slot, output.type))
            leaving = nodes[output.node.id]["outputs"][output.slot]
            leaving["links"] = [*(leaving["links"] or []), number]
        right = max(node["pos"][0] + node["size"][0] for node in inside["nodes"])
        id = self._id("subgraph")
        return {
            "id": self._id("workflow"),
            "revision": 0,
            "last_node_id": 1,
            "last_link_id": 0,
            "nodes": [self._outside(id)],
            "links": [],
            "groups": [],
            "definitions": {"subgraphs": [{
                "id": id,
                "version": 1,
                "state": {"lastGroupId": len(inside["groups"]), "lastNodeId": inside["last_node_id"],
                          "lastLinkId": len(links), "lastRerouteId": 0},
                "revision": 0,
                "config": {},
                "name": self.title,
                "category": CATEGORY,
                "description": self.description,
                "inputNode": {"id": INPUT_NODE, "bounding": _edge_bounds(-EDGE_WIDTH - 60, len(self.inputs))},
                "outputNode": {"id": OUTPUT_NODE, "bounding": _edge_bounds(right + 60, len(self.outputs))},
                "inputs": [
                    self._rim(name, socket.type, [link for link in links if link["origin_id"] == INPUT_NODE
                                                  and link["origin_slot"] == slot], -80, slot)
                    for slot, (name, socket) in enumerate(self.inputs.items())
                ],
                "outputs": [
                    self._rim(name, output.type, [link for link in links if link["target_id"] == OUTPUT_NODE
                                                  and link["target_slot"] == slot], right + 80, slot)
                    for slot, (name, output) in enumerate(self.outputs.items())
                ],
                "widgets": [],
                "nodes": inside["nodes"],
                "groups": inside["groups"],
                "links": links,
                "extra": {"workflowRendererVersion": "LG"},
            }]},
            "config": {},
            "extra": {"workflowRendererVersion": "LG"},
            "version": 0.4,
        }  # fmt: skip

    def _id(self, part: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.title}/{part}"))

    def _rim(self, name: str, type: str, links: list[dict], x: float, slot: int) -> dict:
        return {
            "id": self._id(name), "name": name, "type": type, "linkIds": [link["id"] for link in links],
            "pos": [x, ROW * (slot + 1)],
        }  # fmt: skip

    def _outside(self, type: str) -> dict:
        promoted = {name: socket for name, socket in self.inputs.items() if socket.widget is not None}
        return {
            "id": 1, "type": type, "title": self.title, "pos": [0, 0],
            "size": [OUTSIDE_WIDTH, 30 + ROW * (len(self.inputs) - len(promoted)) + 30 * len(promoted)],
            "flags": {}, "order": 0, "mode": 0,
            "inputs": [
                {"name": name, "type": socket.type, "link": None} | ({"widget": {"name": name}} if name in promoted
                                                                     else {})
                for name, socket in self.inputs.items()
            ],
            "outputs": [{"name": name, "type": output.type, "links": None} for name, output in self.outputs.items()],
            "properties": {"proxyWidgets": [["-1", name] for name in promoted]},
            "widgets_values": [socket.widget for socket in promoted.values()],
        }  # fmt: skip


def _link(id: int, origin: int, origin_slot: int, target: int, target_slot: int, type: str) -> dict:
    return {"id": id, "origin_id": origin, "origin_slot": origin_slot, "target_id": target, "target_slot": target_slot,
            "type": type}  # fmt: skip


def _edge_bounds(left: float, rows: int) -> list[float]:
    return [left, 0, EDGE_WIDTH, ROW * (rows + 2)]


def multi_subject_image() -> Blueprint:
    """Photos, phrases and a layout in, a model that sees the subjects out."""
    blueprint = Blueprint(
        "MS-Diffusion Multi-subject image",
        "Two photos with their phrases, and a layout with a box for each: the model that comes out sees both subjects, "
        "each in its own box. Link it to any sampler.",
        {
            "model": Socket("MODEL"), "clip": Socket("CLIP"), "clip_vision": Socket("CLIP_VISION"),
            "adapter": Socket("MSD_ADAPTER"), "layout": Socket("MSD_LAYOUT"), "photo 1": Socket("IMAGE"),
            "photo 2": Socket("IMAGE"), "phrase 1": Socket("STRING", "dog"), "phrase 2": Socket("STRING", "cat"),
            "scale": Socket("FLOAT", 0.6),
        },
    )  # fmt: skip
    graph, subjects = blueprint.graph, []
    for number in (1, 2):
        subject = graph.add(
            "MSDiffusionSubject", (0, (230 + GAP) * (number - 1)), (SUBJECT_WIDTH, 230),
            image=blueprint[f"photo {number}"], phrase=blueprint[f"phrase {number}"],
        )  # fmt: skip
        subjects.append(subject["subject"])
    embeds = graph.add(
        "MSDiffusionEncode", (SUBJECT_WIDTH + 60, 0), (PATCH_WIDTH, ENCODE_HEIGHT), subjects=subjects,
        **{name: blueprint[name] for name in ("adapter", "clip_vision", "clip", "layout")},
    )["embeds"]  # fmt: skip
    applied = graph.add(
        "MSDiffusionApply", (SUBJECT_WIDTH + 60, ENCODE_HEIGHT + GAP), (PATCH_WIDTH, APPLY_HEIGHT),
        model=blueprint["model"], embeds=embeds, scale=blueprint["scale"],
    )  # fmt: skip
    blueprint.outputs |= {"model": applied["model"], "embeds": embeds}
    return blueprint


def subject_from_photo() -> Blueprint:
    """A photo in, the subject cut out of it out."""
    blueprint = Blueprint(
        "MS-Diffusion Subject from photo",
        "Cuts the subject out of its photo and names it, for Encode MS-Diffusion Subjects. It needs a file for "
        "removing backgrounds, which the node inside names.",
        {"photo": Socket("IMAGE"), "phrase": Socket("STRING", "dog"), "weight": Socket("FLOAT", 1.0)},
    )
    graph = blueprint.graph
    remover = graph.add(
        "LoadBackgroundRemovalModel", (0, 0), (SUBJECT_WIDTH, 66), file=BACKGROUND_REMOVAL,
        bg_removal_name=BACKGROUND_REMOVAL.name,
    )  # fmt: skip
    removed = graph.add(
        "RemoveBackground", (0, 66 + 2 * GAP), (SUBJECT_WIDTH, 60), bg_removal_model=remover["bg_model"],
        image=blueprint["photo"],
    )  # fmt: skip
    subject = graph.add(
        "MSDiffusionSubject", (SUBJECT_WIDTH + 60, 0), (SUBJECT_WIDTH, 230), image=blueprint["photo"],
        mask=removed["mask"], phrase=blueprint["phrase"], weight=blueprint["weight"],
    )  # fmt: skip
    blueprint.outputs |= {"subject": subject["subject"], "preview": subject["preview"]}
    return blueprint


ALL = (multi_subject_image, subject_from_photo)


def write() -> None:
    """Writes every blueprint."""
    BLUEPRINTS.mkdir(exist_ok=True)
    for make in ALL:
        blueprint = make()
        (BLUEPRINTS / f"{blueprint.title}.json").write_text(as_text(blueprint.to_json()), "utf-8", newline="\n")


if __name__ == "__main__":
    write()
