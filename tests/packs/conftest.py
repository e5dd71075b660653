"""The neighbour packs, where they are checked out, together in one real server.

`MSD_PACKS` names the folder that holds them, `~/packs` otherwise; their own requirements must be installed. A pack's
submodule may lie beside it (see `server.PARTS`). A test names its packs with the mark: `pytest.mark.packs("name")`.
"""

import pytest

from tests.conftest import HOST

from .server import PackServer, found_packs


def pytest_runtest_setup(item):
    names = {pack.name for pack in found_packs()}
    if not names:
        pytest.skip("MSD_PACKS / ~/packs holds no packs")
    if HOST is None:
        pytest.skip("no ComfyUI found: set COMFYUI_PATH to a ComfyUI folder")
    missing = {name for mark in item.iter_markers("packs") for name in mark.args} - names
    if missing:
        pytest.skip(f"{', '.join(sorted(missing))} is not among the packs")


@pytest.fixture(scope="session")
def pack_server():
    with PackServer(HOST) as server:
        yield server


@pytest.fixture
def packs(pack_server, request):
    """The server, where the test's packs are loaded."""
    for name in (name for mark in request.node.iter_markers("packs") for name in mark.args):
        if complaint := pack_server.complaint(name):
            pytest.fail(complaint, pytrace=False)
    yield pack_server
    pack_server.tidy()
