"""ComfyUI and the headless engine make the same picture of the same noise."""

from types import SimpleNamespace

import pytest

A, B = (0.0, 0.45, 0.5, 0.95), (0.5, 0.1, 1.0, 0.6)
PROMPT = "a mug and a rocket in the snow"
DRAWN = (("mug", 3), ("rocket", 9))


@pytest.fixture(scope="module")
def headless(host):
    pytest.importorskip("diffusers")
    return host.module("msd_core.headless.demo")


def theirs(host, headless, **inputs):
    """The headless engine's latents."""
    box = host.module("msd_core.boxes").Box
    pipeline = headless.demo_pipeline()
    embeds = pipeline.encode([headless.demo_subject(*drawn, 160) for drawn in DRAWN], [box(*A), box(*B)])
    return pipeline(
        PROMPT, embeds, width=160, height=160, steps=20, guidance=2.0, seed=11, latents_only=True, **inputs
    )


def ours(host, studio, **inputs):
    """ComfyUI's latents."""
    subjects = []
    for kind, seed in DRAWN:
        image, _, phrase = host.call("MSDiffusionDemoSubject", kind=kind, seed=seed, size=160)
        subjects.append(studio.subject_of(image, phrase))
    positive, negative = (
        host.call("CLIPTextEncode", clip=studio.demo.clip, text=text)[0] for text in (PROMPT, "")
    )
    model = studio.apply(studio.encode((A, B), subjects), **inputs)
    latents = studio.sample(model, (20, 20), steps=20, cfg=2.0, seed=11, positive=positive, negative=negative)
    return studio.demo.model.model.process_latent_in(latents)


def assert_alike(a, b, most=2e-2):
    assert (a - b).abs().max() < most * a.abs().max()
    assert (a - b).abs().mean() < 5e-3 * a.abs().max()


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_latents_of_both_engines_agree(host, studio, headless, scale):
    assert_alike(ours(host, studio, scale=scale), theirs(host, headless, scale=scale))


def test_latents_of_both_engines_agree_with_auto_layout(host, studio, headless):
    settings = host.module("msd_core.auto_layout").AutoLayoutSettings()
    request = host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt=PROMPT, threshold=settings.threshold,
                        start_step=settings.start_step)[0]
    placed = ours(host, studio, scale=1.0, auto_layout=request)
    # Where a map comes close to the threshold, a cell may fall on its other side.
    assert_alike(placed, theirs(host, headless, scale=1.0, auto_layout=settings), most=0.1)
    assert (placed - ours(host, studio, scale=1.0)).abs().max() > 0.1 * placed.abs().max()


def test_both_engines_find_the_same_phrases(host, studio, headless):
    transformers = pytest.importorskip("transformers")
    text = host.module("msd_core.headless.text")
    prompt = host.module("nodes.host.text").Prompt
    words, phrases = "A red Backpack, a dog and the dog's hat", ["red backpack", "dog", "dog", "hat", "teapot"]
    tokenizer = transformers.CLIPTokenizer.from_pretrained(str(host.path / "comfy" / "sd1_tokenizer"))
    expected = prompt.of(studio.demo.clip, words).spans(phrases)
    assert text.DiffusersText(SimpleNamespace(tokenizer=tokenizer)).spans(words, phrases) == expected
    assert text.DemoText(None, None).spans(words, phrases) == expected
    assert [bool(span) for span in expected] == [True, True, True, True, False]
