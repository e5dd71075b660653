"""A node graph described once and written twice: as the frontend saves it, and as the server takes it."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

TITLE_BAR = 30
GROUP_TITLE = 30
PADDING = 20
BYPASSED = 4
AUTOGROW = "*"


@dataclass(frozen=True)
class Kind:
    """One node type, in the order of its schema.

    Attributes:
        sockets: input name -> type. A trailing "?" on the type marks an optional input; the name `group.item*` stands
            for an autogrow input, whose sockets are called group.item0, group.item1 ...
        widgets: input name -> (type, default).
        outputs: output name -> type.
        controls: widget name -> value of the extra widget that the frontend puts after it.
    """

    sockets: dict[str, str] = field(default_factory=dict)
    widgets: dict[str, tuple[str, Any]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    controls: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelFile:
    """A file that a node needs, as the frontend offers it for download.

    Attributes:
        name: the node's value for it.
        url: where it is; its last part may differ from the name.
        directory: the folder of `models` that it belongs in.
        sha256: of its content, empty where it is not public.
    """

    name: str
    url: str
    directory: str
    sha256: str = ""

    def offered(self) -> dict[str, str]:
        """The file as the frontend reads it from a node."""
        offered = {"name": self.name, "url": self.url, "directory": self.directory}
        return offered | ({"hash": self.sha256, "hash_type": "SHA256"} if self.sha256 else {})


@dataclass(frozen=True)
class Output:
    """One output of a placed node."""

    node: "Node"
    slot: int

    @property
    def type(self) -> str:
        return list(self.node.kind.outputs.values())[self.slot]


@dataclass(eq=False)
class Node:
    """A placed node.

    Attributes:
        inputs: input name -> a widget's value, or the output that it is linked to.
        at, size: upper left corner of the body (the title bar lies above) and its extent, in canvas units.
        file: the model file that it needs.
    """

    id: int
    type: str
    kind: Kind
    at: tuple[int, int]
    size: tuple[int, int]
    inputs: dict[str, Any]
    title: str = ""
    bypassed: bool = False
    file: ModelFile | None = None

    def __getitem__(self, output: str) -> Output:
        return Output(self, list(self.kind.outputs).index(output))

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Left, top, width and height with the title bar."""
        return self.at[0], self.at[1] - TITLE_BAR, self.size[0], self.size[1] + TITLE_BAR


@dataclass(frozen=True)
class Group:
    """A titled frame around nodes."""

    title: str
    color: str
    nodes: list[Node]

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """Left, top, width and height, the group's title included."""
        corners = [node.bounds for node in self.nodes]
        left, top = min(x for x, *_ in corners) - PADDING, min(y for _, y, *_ in corners) - PADDING - GROUP_TITLE
        right, bottom = max(x + w for x, _, w, _ in corners) + PADDING, max(y + h for _, y, _, h in corners) + PADDING
        return left, top, right - left, bottom - top


class Graph:
    """Nodes, links and groups of one workflow."""

    def __init__(self, name: str, kinds: dict[str, Kind]):
        self.name, self._kinds = name, kinds
        self.nodes: list[Node] = []
        self.groups: list[Group] = []
        self.note: tuple[str, tuple[int, int], tuple[int, int]] | None = None
        self._open: Group | None = None

    @contextmanager
    def group(self, title: str, color: str) -> Iterator[None]:
        """The nodes added inside the block get a frame of their own; a title that was there before is that frame."""
        outer, self._open = self._open, next((group for group in self.groups if group.title == title), None)
        if self._open is None:
            self._open = Group(title, color, [])
            self.groups.append(self._open)
        yield
        self._open = outer

    def add(
        self, type: str, at: tuple[int, int], size: tuple[int, int], title: str = "", bypassed: bool = False,
        file: ModelFile | None = None, **inputs: Any,
    ) -> Node:  # fmt: skip
        """Places a node; the inputs of an autogrow group are given as one list under the group's name."""
        node = Node(len(self.nodes) + 1, type, self._kinds[type], at, size, {}, title, bypassed, file)
        for name, value in inputs.items():
            prefix = next((key for key in node.kind.sockets if key.startswith(f"{name}.")), None)
            grown = {f"{prefix[:-1]}{index}": item for index, item in enumerate(value)} if prefix else {name: value}
            node.inputs |= grown
        known = {*node.kind.widgets, *(socket for socket, _ in sockets(node))}
        if unknown := node.inputs.keys() - known:
            raise ValueError(f"{type} has no input {', '.join(sorted(unknown))}, it has {', '.join(sorted(known))}.")
        self.nodes.append(node)
        if self._open:
            self._open.nodes.append(node)
        return node

    def to_api(self) -> dict:
        """The workflow as `/prompt` takes it, bypassed nodes included."""
        prompt = {}
        for node in self.nodes:
            widgets = {name: node.inputs.get(name, default) for name, (_, default) in node.kind.widgets.items()}
            linked = {name: value for name, value in node.inputs.items() if isinstance(value, Output)}
            prompt[str(node.id)] = {
                "class_type": node.type,
                "inputs": {
                    name: [str(value.node.id), value.slot] if isinstance(value, Output) else value
                    for name, value in (widgets | linked).items()
                },
                "_meta": {"title": node.title or node.type},
            }
        return prompt

    def to_ui(self) -> dict:
        """The workflow as the frontend saves it."""
        links: list[list] = []
        saved = [_saved_node(node, order, links) for order, node in enumerate(self.nodes)]
        for node in saved:
            for slot, output in enumerate(node["outputs"]):
                output["links"] = [link[0] for link in links if link[1:3] == [node["id"], slot]] or None
        if self.note:
            text, at, size = self.note
            saved.append(_saved_note(text, at, size, len(self.nodes) + 1, len(saved)))
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, self.name)),
            "revision": 0,
            "last_node_id": max(node["id"] for node in saved),
            "last_link_id": len(links),
            "nodes": saved,
            "links": links,
            "groups": [
                {"id": number, "title": group.title, "bounding": list(group.bounds), "color": group.color,
                 "font_size": 24, "flags": {}}
                for number, group in enumerate(self.groups, 1)
            ],
            "config": {},
            "extra": {"workflowRendererVersion": "LG"},
            "version": 0.4,
        }  # fmt: skip


def sockets(node: Node) -> list[tuple[str, str]]:
    """Names and types of a node's sockets; an autogrow group has those in use and a free one, which is optional."""
    found = []
    for name, type in node.kind.sockets.items():
        if name.endswith(AUTOGROW):
            used = sum(key.startswith(name[:-1]) for key in node.inputs)
            found += [(f"{name[:-1]}{index}", type + "?" * (index == used)) for index in range(used + 1)]
        else:
            found.append((name, type))
    return found


def as_text(workflow: dict) -> str:
    """A workflow as the text of its file."""
    return json.dumps(workflow, indent=2, ensure_ascii=False) + "\n"


def _saved_node(node: Node, order: int, links: list[list]) -> dict:
    inputs = []
    for name, type in sockets(node):
        entry: dict[str, Any] = {"name": name, "type": type.rstrip("?"), "link": None}
        if "." in name:
            entry["label"] = name.split(".")[1]
        if type.endswith("?"):
            entry["shape"] = 7
        inputs.append(entry)
    for name, (type, _) in node.kind.widgets.items():
        inputs.append({"name": name, "type": type, "widget": {"name": name}, "link": None})
    for slot, entry in enumerate(inputs):
        source = node.inputs.get(entry["name"])
        if isinstance(source, Output):
            entry["link"] = len(links) + 1
            links.append([entry["link"], source.node.id, source.slot, node.id, slot, source.type])
    values = []
    for name, (_, default) in node.kind.widgets.items():
        value = node.inputs.get(name, default)
        values.append(default if isinstance(value, Output) else value)
        if name in node.kind.controls:
            values.append(node.kind.controls[name])
    return {
        "id": node.id,
        "type": node.type,
        **({"title": node.title} if node.title else {}),
        "pos": list(node.at),
        "size": list(node.size),
        "flags": {},
        "order": order,
        "mode": BYPASSED if node.bypassed else 0,
        "inputs": inputs,
        "outputs": [{"name": name, "type": type, "links": None} for name, type in node.kind.outputs.items()],
        "properties": {"Node name for S&R": node.type} | ({"models": [node.file.offered()]} if node.file else {}),
        "widgets_values": values,
    }


def _saved_note(text: str, at: tuple[int, int], size: tuple[int, int], id: int, order: int) -> dict:
    return {
        "id": id, "type": "MarkdownNote", "title": "Read me", "pos": list(at), "size": list(size), "flags": {},
        "order": order, "mode": 0, "inputs": [], "outputs": [], "properties": {}, "widgets_values": [text],
        "color": "#222", "bgcolor": "#000",
    }  # fmt: skip
