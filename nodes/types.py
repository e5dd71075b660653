"""The pack's own socket types, and the sockets that several nodes have."""

from __future__ import annotations

from comfy_api.latest import io

from .host.sockets import MAX_SUBJECTS

CATEGORY = "MS-Diffusion"

Adapter = io.Custom("MSD_ADAPTER")
Subject = io.Custom("MSD_SUBJECT")
Layout = io.Custom("MSD_LAYOUT")
Embeds = io.Custom("MSD_EMBEDS")
AutoLayout = io.Custom("MSD_AUTO_LAYOUT")
Attribution = io.Custom("MSD_ATTRIBUTION")


def subjects_input(
    tooltip: str, each: str = "From MS-Diffusion Subject. A free socket follows the last."
) -> io.Autogrow.Input:
    """Growing sockets for subjects, the k-th for the k-th box.

    A socket is not required: a muted subject leaves its own empty, and the others still stand.

    Args:
        tooltip: what the subjects are to the node.
        each: what one socket takes.
    """
    template = io.Autogrow.TemplatePrefix(
        Subject.Input("subject", optional=True, tooltip=each), prefix="subject", min=1, max=MAX_SUBJECTS
    )
    return io.Autogrow.Input("subjects", template=template, tooltip=tooltip)
