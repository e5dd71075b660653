"""PNG files that say how they were made and that a model made them."""

from __future__ import annotations

import json
import struct
import zlib
from xml.etree import ElementTree

import pytest
from PIL import Image

from msd_core.headless.png import save_png

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
MADE_BY_A_MODEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """A PNG's chunks by the format's own rules, their checksums checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        found.append((kind, body))
        at += 12 + length
    return found


def test_a_png_carries_iptcs_mark_of_ai_made_pictures_as_xmp(tmp_path) -> None:
    save_png(Image.new("RGB", (8, 8)), tmp_path / "made.png", {"prompt": "naïve"})
    texts = [body for kind, body in chunks((tmp_path / "made.png").read_bytes()) if kind == b"iTXt"]
    packet = next(body for body in texts if body.startswith(b"XML:com.adobe.xmp\0"))
    compressed, method, rest = packet[18], packet[19], packet[20:]
    language, translated, xmp = rest.split(b"\0", 2)
    assert (compressed, method, language, translated) == (0, 0, b"", b"")
    assert xmp.decode("utf-8").startswith('<?xpacket begin="\ufeff"')
    described = ElementTree.fromstring(xmp).find(f"{RDF}RDF/{RDF}Description")
    assert described.get(f"{IPTC}DigitalSourceType") == MADE_BY_A_MODEL


def test_a_png_keeps_its_settings(tmp_path) -> None:
    settings = {"prompt": "a naïve \N{DOG}", "subjects": [{"box": [0, 0.5, 1, 1]}]}
    save_png(Image.new("RGB", (8, 8)), tmp_path / "made.png", settings)
    with Image.open(tmp_path / "made.png") as made:
        assert json.loads(made.text["ms_diffusion"]) == settings


def test_other_formats_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"made.jpg but only PNG keeps .*: name it .*made.png"):
        save_png(Image.new("RGB", (8, 8)), tmp_path / "made.jpg")
