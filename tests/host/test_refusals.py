"""Bad input to the nodes: one sentence that names the two values and the remedy, and nothing half done."""

import pytest
import torch
from safetensors.torch import save_file

from tests.host.conftest import LEFT, RIGHT, slots_of
from tests.samples import adapter_state, nested


def message_of(call, *args, **kwargs) -> str:
    with pytest.raises((ValueError, FileNotFoundError, ImportError)) as caught:
        call(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert ":" in message, "the remedy is missing"
    return message


def test_a_subject_without_a_box_is_named_with_its_number_and_the_count_of_boxes(studio):
    message = message_of(studio.encode, (LEFT, RIGHT), studio.subjects(3))
    assert "Subject 3, 'cat', takes box 3 but there are 2 boxes" in message
    message = message_of(studio.encode, (LEFT, RIGHT), [None, None, studio.subject("cat")])
    assert "Subject 3, 'cat', takes box 3 but there are 2 boxes" in message


def test_no_boxes_at_all_is_refused(studio):
    assert "takes box 1 but there are 0 boxes" in message_of(studio.encode, (), studio.subjects(1))


def test_more_boxes_than_subjects_is_said_once_in_the_log(studio, caplog):
    with caplog.at_level("INFO", logger="MS-Diffusion"):
        embeds = studio.encode((LEFT, RIGHT), studio.subjects(1))
    assert len(embeds.subjects) == 1
    said = [record.getMessage() for record in caplog.records if record.name == "MS-Diffusion"]
    assert said == ["Of 2 boxes these have no subject and are unused: 2. The subjects: 'dog' in box 1."]


def test_of_three_subjects_with_one_muted_the_log_says_who_stands_where(studio, caplog):
    first, _, third = studio.subjects(3)
    with caplog.at_level("INFO", logger="MS-Diffusion"):
        studio.encode((LEFT, (0.2, 0.0, 0.8, 1.0), RIGHT), [first, None, third])
    said = [record.getMessage() for record in caplog.records if record.name == "MS-Diffusion"]
    assert said == [
        "Of 3 boxes these have no subject and are unused: 2. The subjects: 'dog' in box 1, 'cat' in box 3."
    ]


def test_no_subject_is_refused(studio):
    assert "0 subjects" in message_of(studio.encode, (LEFT,), [])


@pytest.mark.parametrize("phrase", ["", "   ", "\n"])
def test_an_empty_phrase_is_refused(studio, phrase):
    assert "must name the subject" in message_of(studio.subject, phrase)


def test_an_empty_mask_is_refused(studio):
    assert "largest value 0" in message_of(studio.subject, mask=torch.zeros(1, 64, 64))


def test_the_wrong_clip_vision_model_is_refused_by_width(studio, monkeypatch):
    monkeypatch.setitem(studio.demo.clip_vision.config, "hidden_size", 1280)
    width = studio.demo.adapter.feature_width
    message = message_of(studio.encode)
    assert f"needs features {width} wide" in message
    assert "got 1280 wide (ViT-H/14)" in message


def test_the_released_adapter_asks_for_bigg_by_name(host):
    encode = host.module("nodes.host.encode")

    class Adapter:
        name, feature_width = "ms_adapter.bin", 1664

    class Vision:
        config = {"hidden_size": 1280}

    message = message_of(encode.check_encoder, Adapter, Vision)
    assert "needs features 1664 wide (CLIP ViT-bigG/14), got 1280 wide (ViT-H/14)" in message


def test_a_clip_without_clip_l_is_refused_with_what_it_has(host, studio):
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.clip_g = torch.nn.Identity()

    class Clip:
        cond_stage_model, patcher = Model(), None

    assert "this CLIP has clip_g" in message_of(studio.encode, clip=Clip())


def test_phrase_embeddings_of_another_width_are_refused(host, studio):
    checkpoint, adapter = host.module("msd_core.checkpoint"), host.module("nodes.host.adapter")
    state = adapter_state(features=studio.demo.adapter.feature_width)
    other = adapter.ManagedAdapter(checkpoint.AdapterFile(state, 8), "other.bin")
    assert "use the text encoders of an SDXL checkpoint" in message_of(studio.encode, adapter=other)


@pytest.mark.parametrize("boxes, words", [
    ("{'boxes':[[0,0,1,1]]}", "double quotes"),
    ('{"boxes":[[0,0,1', "valid JSON"),
    ('{"boxes":[[0,0,0,1]]}', "no area"),
    ('{"boxes":[[0.9,0,0.1,1]]}', "swap them"),
    ('{"boxes":[[0,0,100,100]]}', "from 0 to 1"),
    ('{"boxes":[[NaN,0,1,1]]}', "nan"),
])
def test_bad_boxes_are_refused_before_anything_runs(host, boxes, words):
    node = host.nodes["MSDiffusionLayout"]
    assert words in node.validate_inputs(boxes=boxes)
    assert words in message_of(host.call, "MSDiffusionLayout", width=64, height=64, boxes=boxes)


def test_good_and_missing_boxes_are_accepted(host):
    node = host.nodes["MSDiffusionLayout"]
    assert node.validate_inputs() is True
    assert node.validate_inputs(boxes='{"boxes":[[0,0,1,1]]}') is True


def test_an_adapter_that_is_not_there_names_the_folders_searched(host):
    message = message_of(host.call, "MSDiffusionAdapterLoader", adapter_name="absent.bin")
    assert "absent.bin is not in" in message
    assert str(host.base / "models" / "msdiffusion") in message


@pytest.mark.parametrize("content, words", [
    (lambda path: torch.save({"image_proj": {"latents": torch.ones(1)}, "ip_adapter": {}}, path), "an IP-Adapter"),
    (lambda path: torch.save({"a.lora_up.weight": torch.ones(1)}, path), "a LoRA"),
    (lambda path: path.touch(), "0 bytes"),
    (lambda path: path.write_bytes(b"PK\x03\x04 cut off"), "repeat it"),
])
def test_a_file_that_is_no_adapter_is_refused_by_the_loader(host, content, words):
    path = host.base / "models" / "msdiffusion" / "wrong.bin"
    path.parent.mkdir(exist_ok=True)
    content(path)
    try:
        assert words in message_of(host.call, "MSDiffusionAdapterLoader", adapter_name="wrong.bin")
    finally:
        path.unlink()


@pytest.mark.parametrize("name", ["official.bin", "flat.safetensors", "any name at all.pt"])
def test_an_adapter_of_any_name_loads_and_is_told_by_its_tensors(host, name):
    path = host.base / "models" / "msdiffusion" / name
    path.parent.mkdir(exist_ok=True)
    state = adapter_state(head_dim=32)
    if name.endswith("safetensors"):
        save_file(state, path)
    else:
        torch.save(nested(state), path)
    try:
        adapter = host.call("MSDiffusionAdapterLoader", adapter_name=name)[0]
        assert adapter.name == name
        assert len(adapter.layers.hidden) == 5
        assert "dummy_image_tokens" not in adapter.model.state_dict()
    finally:
        path.unlink()


def test_a_model_of_another_family_is_refused_and_stays_as_it_was(host, studio):
    checkpoint, adapter = host.module("msd_core.checkpoint"), host.module("nodes.host.adapter")
    state = adapter_state(features=studio.demo.adapter.feature_width, phrase=64 - 8)
    other = adapter.ManagedAdapter(checkpoint.AdapterFile(state, 8), "other.bin")
    embeds = host.module("msd_core.embeds")
    foreign = embeds.SubjectEmbeds(studio.encode().subjects, other)
    message = message_of(studio.apply, foreign)
    assert "other.bin is made for 5 cross-attentions (2x16, 3x32) over 40-wide context" in message
    assert "this model has" in message
    assert slots_of(studio.demo.model) == {}
