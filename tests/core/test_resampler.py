"""The grounding resampler against the float64 reference."""

import pytest
import torch

from msd_core.adapter import Adapter
from msd_core.resampler import fourier_features
from tests import reference
from tests.samples import CONTEXT, FEATURE_WIDTH, FREQUENCIES, HEAD_DIM, PHRASE_WIDTH, TOKENS, adapter_state

TOLERANCE = 2e-5


def resampler(seed: int = 0, **sizes):
    state = adapter_state(seed, **sizes)
    adapter = Adapter(state, HEAD_DIM)
    adapter.load_state_dict({key: value for key, value in state.items() if key != "dummy_image_tokens"})
    prefix = "image_proj."
    image_proj = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return adapter.requires_grad_(False).image_proj, image_proj


def inputs(n: int, seed: int = 0, patches: int = 11):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, patches, FEATURE_WIDTH, generator=generator)
    phrases = torch.randn(n, PHRASE_WIDTH, generator=generator)
    corners = torch.rand(n, 2, 2, generator=generator).sort(dim=1).values
    return features, phrases, corners.flatten(1)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("grounding", [True, False])
@pytest.mark.parametrize("layers", [1, 4])
def test_tokens_equal_the_reference(n, grounding, layers):
    net, state = resampler(n, layers=layers)
    tokens = net(*inputs(n, seed=n), grounding)
    expected = reference.resampler(state, *inputs(n, seed=n), grounding=grounding, head_dim=HEAD_DIM)
    assert tokens.shape == (n, TOKENS, CONTEXT)
    assert (tokens - expected).abs().max() < TOLERANCE


def test_fourier_features_equal_the_reference_in_order():
    boxes = inputs(4)[2]
    assert (fourier_features(boxes, FREQUENCIES) - reference.fourier(boxes, FREQUENCIES)).abs().max() < 1e-5


def test_fourier_features_stay_fp32_whatever_the_boxes_are_in():
    boxes = torch.tensor([[0.1, 0.2, 0.7, 0.9]])
    assert fourier_features(boxes.double(), 8).dtype == torch.float32


def test_subjects_never_see_each_other():
    net, _ = resampler()
    features, phrases, boxes = inputs(3)
    together = net(features, phrases, boxes)
    alone = torch.cat([net(features[i : i + 1], phrases[i : i + 1], boxes[i : i + 1]) for i in range(3)])
    assert (together - alone).abs().max() < TOLERANCE


def test_grounding_may_be_dropped_for_some_subjects_only():
    net, _ = resampler()
    features, phrases, boxes = inputs(2)
    mixed = net(features, phrases, boxes, torch.tensor([True, False]))
    assert torch.allclose(mixed[0], net(features, phrases, boxes, True)[0], atol=1e-6)
    assert torch.allclose(mixed[1], net(features, phrases, boxes, False)[1], atol=1e-6)


def test_phrase_and_box_both_shape_the_tokens():
    net, _ = resampler()
    features, phrases, boxes = inputs(1)
    tokens = net(features, phrases, boxes)
    assert (net(features, phrases + 1, boxes) - tokens).abs().max() > 0.01
    assert (net(features, phrases, boxes * 0.5) - tokens).abs().max() > 0.01


def test_zero_boxes_are_an_embedding_and_not_dropped_grounding():
    net, _ = resampler()
    features, phrases, boxes = inputs(1)
    zero = net(features, phrases, torch.zeros_like(boxes))
    assert (zero - net(features, phrases, boxes, False)).abs().max() > 0.01


@pytest.mark.parametrize("width", [PHRASE_WIDTH + 8 * FREQUENCIES, PHRASE_WIDTH + 1, 1280])
def test_phrase_embeddings_of_another_width_are_refused(width):
    net, _ = resampler()
    features, _, boxes = inputs(1)
    with pytest.raises(ValueError, match=f"{width} wide.*SDXL"):
        net(features, torch.zeros(1, width), boxes)
