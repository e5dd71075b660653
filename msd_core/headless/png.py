"""Pictures as PNG files that say what they are: how they were made, and that a model made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SETTINGS_KEY = "ms_diffusion"
XMP_KEY = "XML:com.adobe.xmp"
AI_MADE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media that a trained model has made; platforms read it to label pictures."""

XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
   Iptc4xmpExt:DigitalSourceType="{AI_MADE}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def save_png(image: Any, target: str | Path, settings: dict[str, Any] | None = None) -> None:
    """Write a PIL image as a PNG marked as made by a model.

    Args:
        target: the file, which must end in .png.
        settings: how it was made, kept as JSON under the text key `ms_diffusion`.

    Raises:
        ValueError: the target is named otherwise.
    """
    from PIL.PngImagePlugin import PngInfo

    check_png(target)
    notes = PngInfo()
    notes.add_itxt(XMP_KEY, XMP)
    if settings is not None:
        notes.add_text(SETTINGS_KEY, json.dumps(settings))
    image.save(target, pnginfo=notes)


def check_png(target: str | Path) -> None:
    """Raise a ValueError if a file to write is not named as a PNG."""
    if Path(target).suffix.lower() != ".png":
        raise ValueError(
            f"The picture would be written to {target} but only PNG keeps its settings and its mark: name it "
            f"{Path(target).with_suffix('.png')}."
        )
