"""What a sampling run tells the page when it ends: where each subject stood, for the canvas to draw."""

from __future__ import annotations

from collections.abc import Sequence

from comfy_execution.utils import get_executing_context
from server import PromptServer

from ...msd_core.boxes import DECIMALS
from ...msd_core.cells import Window
from ...msd_core.embeds import SubjectEmbeds

REGIONS = "msdiffusion.regions"


def tell_regions(embeds: SubjectEmbeds, boxes: Sequence[Sequence[Window | None]]) -> None:
    """Send where auto layout's regions have ended to the page that runs the graph; nothing where there is no page.

    Args:
        embeds: the subjects.
        boxes: for each image each subject's box, in fractions of the layout's frame; None for one without a region.
    """
    server, now = getattr(PromptServer, "instance", None), get_executing_context()
    if server is None or now is None:
        return
    server.send_sync(REGIONS, {
        "prompt_id": now.prompt_id,
        "node": now.node_id,
        "layout": embeds.origin,
        "subjects": [subject.phrase for subject in embeds.subjects],
        "drawn": [[_told(edge) for edge in region.box.edges] for region in embeds.regions],
        "images": [[None if box is None else [_told(edge) for edge in box] for box in image] for image in boxes],
    }, server.client_id)


def _told(edge: float) -> float:
    return round(min(max(edge, 0.0), 1.0), DECIMALS)
