"""Bad input to a real server: refused in a sentence with its values."""

import pytest

from devtools.server import ServerError
from tests.host.workflow_files import api, first

BOX = '{"x0":0.1,"y0":0.1,"x1":0.5,"y1":0.9}'
REFUSED = {
    "malformed JSON": ("MSDiffusionLayout", "boxes", '{"boxes":[', ["no valid JSON", "at character 10"]),
    "Python instead of JSON": ("MSDiffusionLayout", "boxes", "{'boxes':[]}", ["use double quotes"]),
    "a reversed box": ("MSDiffusionLayout", "boxes", '{"boxes":[[0.9,0,0.1,1]]}', ["Box 1", "x0 is 0.9", "x1 is 0.1"]),
    "a box without area": ("MSDiffusionLayout", "boxes", '{"boxes":[[0.3,0,0.3,1]]}', ["Box 1", "both 0.3"]),
    "a box in pixels": ("MSDiffusionLayout", "boxes", '{"boxes":[[0,0,512,1]]}', ["Box 1", "512", "divide pixels"]),
    "a NaN edge": ("MSDiffusionLayout", "boxes", '{"boxes":[[0,0,NaN,1]]}', ["Box 1", "nan"]),
    "fewer boxes than subjects": (
        "MSDiffusionLayout", "boxes", f'{{"boxes":[{BOX}]}}', ["Subject 2, 'robot', takes box 2", "there are 1 boxes"],
    ),
    "no box at all": ("MSDiffusionLayout", "boxes", "", ["Subject 1", "there are 0 boxes", "'cat', takes box 1"]),
    "an empty phrase": ("MSDiffusionSubject", "phrase", " ", ["The phrase is ''", "must name the subject"]),
    "a window of no length": (
        "MSDiffusionApply", "start_percent", 1.0, ["start_percent is 1", "end_percent is 1", "before"],
    ),
}  # fmt: skip


def with_bare_pictures(workflow: dict) -> dict:
    """A workflow without nodes that show something by themselves: the server runs those whatever it refuses."""
    for node in workflow.values():
        if node["class_type"] == "MSDiffusionSubject":
            node["inputs"]["phrase"] = workflow[node["inputs"]["phrase"][0]]["inputs"]["kind"]
    for node in workflow.values():
        if node["class_type"] == "MSDiffusionDemoSubject":
            node.update(class_type="EmptyImage", inputs={"width": 64, "height": 64, "batch_size": 1, "color": 0})
    return workflow


@pytest.mark.parametrize("type, name, value, said", REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_with_its_values(comfy_server, type, name, value, said):
    workflow = with_bare_pictures(api("two_subjects"))
    first(workflow, type)[name] = value
    with pytest.raises(ServerError) as refusal:
        comfy_server.run(workflow)
    assert type in refusal.value.message or "MSDiffusionEncode" in refusal.value.message
    for words in said:
        assert words in refusal.value.message


def test_a_layout_without_the_boxes_input_means_no_boxes(comfy_server):
    workflow = api("two_subjects")
    del first(workflow, "MSDiffusionLayout")["boxes"]
    with pytest.raises(ServerError, match="takes box 1 but there are 0 boxes"):
        comfy_server.run(workflow)
