"""ComfyUI and the headless engine make the same picture of the same noise."""

import pytest

A, B = (0.0, 0.45, 0.5, 0.95), (0.5, 0.1, 1.0, 0.6)
PROMPT = "a mug and a rocket in the snow"


@pytest.mark.parametrize("scale", [1.0, 0.0])
def test_latents_of_both_engines_agree(host, studio, scale):
    pytest.importorskip("diffusers")
    headless = host.module("msd_core.headless.demo")
    boxes = host.module("msd_core.boxes")
    pipeline = headless.demo_pipeline()
    drawn = [headless.demo_subject("mug", 3, 160), headless.demo_subject("rocket", 9, 160)]
    embeds = pipeline.encode(drawn, [boxes.Box(*A), boxes.Box(*B)])
    theirs = pipeline(PROMPT, embeds, scale=scale, width=160, height=160, steps=20, guidance=2.0, seed=11,
                      latents_only=True)

    subjects = []
    for kind, seed in (("mug", 3), ("rocket", 9)):
        image, _, phrase = host.call("MSDiffusionDemoSubject", kind=kind, seed=seed, size=160)
        subjects.append(studio.subject_of(image, phrase))
    positive, negative = (
        host.call("CLIPTextEncode", clip=studio.demo.clip, text=text)[0] for text in (PROMPT, "")
    )
    ours = studio.sample(
        studio.apply(studio.encode((A, B), subjects), scale=scale), (20, 20), steps=20, cfg=2.0, seed=11,
        positive=positive, negative=negative,
    )
    ours = studio.demo.model.model.process_latent_in(ours)
    assert (ours - theirs).abs().max() < 2e-2 * ours.abs().max()
    assert (ours - theirs).abs().mean() < 5e-3 * ours.abs().max()
