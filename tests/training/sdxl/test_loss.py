"""The loss of a batch: equation 1 and equation 7, what is dropped, and gradients with and without checkpointing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests.tiny_sdxl import SIDE, SIZES, settings
from training.attention import Attended
from training.sdxl.attention_loss import AttentionLosses
from training.sdxl.batch import Batch
from training.sdxl.diffusion import Noise, Noisy
from training.sdxl.loss import BatchLoss, Drops, draw_drops
from training.sdxl.order import seeded
from training.sdxl.projectors import untrained
from training.sdxl.sources import LiveSamples
from training.sdxl.weights import Weights, text_parameters
from training.shards import Shards

CPU = torch.device("cpu")
BOTH_LOSSES = {"image_attention_loss": 0.3, "text_attention_loss": 0.7, "masks": False, "projector": "plain"}


def drops(count: int, image: bool = False, text: bool = False, grounding: bool = False) -> Drops:
    return Drops(*(torch.full((count,), one) for one in (image, text, grounding)))


@pytest.fixture
def samples(base, shards_folder):
    return LiveSamples(Shards(shards_folder), base, (SIDE, SIDE))


@pytest.fixture
def loss_of(base, samples):
    """`loss_of(**settings)`: the loss on the tiny base, with an adapter that is always the same."""

    def made(**changes) -> BatchLoss:
        for module in base.pipe.unet.modules():
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
        told = settings(**changes)
        torch.manual_seed(5)
        trained = untrained(base, told.projector, SIZES)
        return BatchLoss(base.pipe.unet, trained, Noise(base.pipe.scheduler), samples.empty(), told)

    return made


@pytest.fixture
def batch(samples):
    return Batch.of(samples.take([0, 1, 3]), CPU)


def value(loss: BatchLoss, batch: Batch, dropped: Drops | None = None) -> float:
    made = loss(batch, seeded(3), dropped or drops(len(batch.counts)))
    loss.done()
    return float(made.total.detach())


def test_without_subjects_it_is_the_bases_own_loss(loss_of, base, batch):
    noisy = Noise(base.pipe.scheduler).add(batch.latents, seeded(3))
    added = {"text_embeds": batch.pooled, "time_ids": batch.sizes}
    predicted = base.pipe.unet(noisy.latents, noisy.timesteps, batch.context, added_cond_kwargs=added).sample
    bare = float(F.mse_loss(predicted, noisy.target))
    assert value(loss_of(gamma=0.0), batch) == pytest.approx(bare, abs=1e-7)
    assert abs(value(loss_of(), batch) - bare) > 1e-5


def test_the_loss_of_samples_together_is_the_mean_of_each_alone(loss_of, samples):
    """One with one subject, one with two: padding and neighbours change nothing."""
    class Same(Noise):
        def add(self, latents, generator):
            return Noisy(latents * 0.5, torch.full((len(latents),), 400), torch.zeros_like(latents))

    loss, found = loss_of(), []
    loss.noise = Same(samples.base.pipe.scheduler)
    for number in (0, 1):
        found.append(value(loss, Batch.of(samples.take([number]), CPU)))
    together = value(loss, Batch.of(samples.take([0, 1]), CPU))
    assert together == pytest.approx(sum(found) / 2, rel=1e-5) and found[0] != pytest.approx(found[1], rel=1e-3)


@pytest.mark.parametrize("changes", [{}, BOTH_LOSSES], ids=["equation 1", "with equation 7"])
def test_gradients_are_the_same_with_and_without_checkpointing(loss_of, base, batch, changes):
    found, one_without_grounding = [], drops(3)._replace(grounding=torch.tensor([True, False, False]))
    for checkpointing in (False, True):
        loss = loss_of(**changes)
        weights = Weights(loss.trained, base.pipe.unet, loss.settings)
        calls = []
        block = base.pipe.unet.mid_block.attentions[0].transformer_blocks[0]
        counting = block.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        if checkpointing:
            base.pipe.unet.enable_gradient_checkpointing()
        try:
            loss(batch, seeded(3), one_without_grounding).total.backward()
        finally:
            base.pipe.unet.disable_gradient_checkpointing()
            counting.remove()
        loss.done()
        assert len(calls) == (2 if checkpointing else 1)
        weights.gather_gradients()
        found.append({name: p.grad.clone() for name, p in weights.masters.items()})
        base.pipe.unet.requires_grad_(False).zero_grad()
    plain, twice = found
    assert all(grad.abs().max() > 0 for grad in plain.values())
    for name, grad in plain.items():
        torch.testing.assert_close(twice[name], grad, atol=1e-7, rtol=1e-5)


def test_a_dropped_image_is_not_seen(loss_of, batch):
    loss, other = loss_of(), replace(batch, features=batch.features + 1)
    assert value(loss, batch) != value(loss, other)
    assert value(loss, batch, drops(3, image=True)) == value(loss, other, drops(3, image=True))


def test_a_dropped_caption_is_the_empty_one(loss_of, samples, batch):
    loss, (context, pooled) = loss_of(), samples.empty()
    empty = replace(batch, context=context.expand(3, -1, -1), pooled=pooled.expand(3, -1))
    assert value(loss, batch, drops(3, text=True)) == value(loss, empty) != value(loss, batch)


def test_dropped_grounding_starts_from_the_latents(loss_of, batch):
    loss, other = loss_of(), replace(batch, phrases=batch.phrases + 1)
    assert value(loss, batch) != value(loss, other)
    without = value(loss, batch, drops(3, grounding=True))
    assert without == value(loss, other, drops(3, grounding=True))
    latents = loss.trained.adapter.image_proj.grounding_latents
    latents.data = latents.data.flip(-1)  # a sum would vanish in the norm
    assert value(loss, batch, drops(3, grounding=True)) != without


@pytest.mark.parametrize("projector", ["plain", "linear"])
def test_other_projectors_know_neither_phrase_nor_box(loss_of, batch, projector):
    loss = loss_of(projector=projector)
    assert value(loss, batch) == value(loss, replace(batch, phrases=batch.phrases + 1, boxes=batch.boxes * 0.5))
    assert value(loss, batch) != value(loss, replace(batch, features=batch.features + 1))


def test_without_masks_a_subject_acts_outside_its_box(loss_of, samples):
    """Boxes are not seen otherwise, so without masks the regions make no difference."""
    batch = Batch.of(samples.take([1]), CPU)
    moved = replace(batch, regions=[batch.regions[0][::-1]])
    masked = loss_of(projector="plain")
    assert value(masked, batch) != value(masked, moved)
    free = loss_of(projector="plain", masks=False)
    assert value(free, batch) == value(free, moved)


def test_samples_are_dropped_as_often_as_told():
    image, text, grounding = (drop.float() for drop in draw_drops(40_000, 0.05, 0.1, seeded(0)))
    both = image * text
    for share, wanted in ((image, 0.1), (text, 0.1), (both, 0.05), (grounding, 0.1)):
        assert float(share.mean()) == pytest.approx(wanted, abs=0.006)


def test_equation_7_is_what_a_loop_finds(batch):
    """Of the image's attention for each token, and of the text's for each word of a phrase."""
    torch.manual_seed(0)
    regions, counts, size, heads, tokens = batch.regions, batch.counts, (4, 4), 2, 3
    most = max(counts)
    query, key = torch.randn(3, 16, 8), torch.randn(3, most * tokens + 8, 8)
    text_key = torch.randn(3, 77, 8)
    mask = torch.zeros(3, 16, most * tokens + 8)
    mask[..., most * tokens :] = -1e4
    for row, count in zip(mask, counts, strict=True):
        row[:, count * tokens : most * tokens] = -1e4
    losses = AttentionLosses(regions, tokens, batch.spans, [True, False, True], True, True)
    losses.look(Attended(0, query, text_key, key, mask, heads, size))
    losses.look(Attended(0, query * 0, text_key, key, mask, heads, size))  # the same layer again counts once
    image, text = losses.means()

    def probabilities(row, keys, masked):
        parts = [(query[row, :, h * 4 : h * 4 + 4] @ keys[:, h * 4 : h * 4 + 4].T / 2 + masked).softmax(-1)
                 for h in range(heads)]
        return sum(parts) / heads

    seen, read, start = [], [], 0
    for row, count in enumerate(counts):
        of_image = probabilities(row, key[row], mask[row])
        of_text = probabilities(row, text_key[row], 0.0)
        for subject in range(count):
            inside = regions[row][subject].cells(*size).flatten()

            def outside(column, inside=inside):
                return float((1 - column[inside].sum() / column.sum()) ** 2)

            columns = range(subject * tokens, (subject + 1) * tokens)
            seen.append(sum(outside(of_image[:, c]) for c in columns) / tokens)
            words = batch.spans[start + subject].nonzero().flatten().tolist()
            assert words
            if row != 1:
                read.append(sum(outside(of_text[:, c]) for c in words) / len(words))
        start += count
    assert float(image) == pytest.approx(sum(seen) / len(seen), abs=1e-4)
    assert float(text) == pytest.approx(sum(read) / len(read), abs=1e-4)


def test_the_text_attention_loss_trains_the_texts_keys_and_values_alone(loss_of, base):
    loss = loss_of(**BOTH_LOSSES)
    weights = Weights(loss.trained, base.pipe.unet, loss.settings)
    learning = {name for name, p in base.pipe.unet.named_parameters() if p.requires_grad}
    assert learning == set(text_parameters(base.pipe.unet)) == set(weights.text)
    assert all(name.endswith(("attn2.to_k.weight", "attn2.to_v.weight")) for name in learning)
    base.pipe.unet.requires_grad_(False)
