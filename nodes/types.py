"""The pack's own socket types."""

from __future__ import annotations

from comfy_api.latest import io

CATEGORY = "MS-Diffusion"

Adapter = io.Custom("MSD_ADAPTER")
Subject = io.Custom("MSD_SUBJECT")
Layout = io.Custom("MSD_LAYOUT")
Embeds = io.Custom("MSD_EMBEDS")
AutoLayout = io.Custom("MSD_AUTO_LAYOUT")
Attribution = io.Custom("MSD_ATTRIBUTION")
