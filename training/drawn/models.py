"""The tiny set's frozen models as the trainer of adapters takes them: a pipeline of diffusers and an image encoder."""

from __future__ import annotations

from pathlib import Path

from msd_core.demo.vocabulary import KNOWN_TOKENS
from msd_core.demo.weights import with_all_tokens
from msd_core.headless.demo import demo_pipeline

from ..decoder import load_finished_autoencoder
from ..sdxl.base import Base
from ..student import load_frozen_base, load_frozen_vision


def drawn_base(folder: Path) -> Base:
    """UNet, text encoders, autoencoder and image encoder as a run's stages have left them, or as they ship where
    `training.shipped` has put them there.
    """
    made = demo_pipeline()
    pipe, encoder = made.pipe, made.image_encoder
    base = load_frozen_base(folder)
    pipe.unet.load_state_dict(base["unet"].state_dict())
    for encoder_of_text, compact in ((pipe.text_encoder, base["text"].l), (pipe.text_encoder_2, base["text"].g)):
        state, prefix = with_all_tokens(compact.state_dict(), KNOWN_TOKENS), "text_model."
        # The first encoder is of a class without projection, whose names lack the prefix since transformers 5.6.
        encoder_of_text.load_state_dict({key: state[key if key in state else prefix + key]
                                         for key in encoder_of_text.state_dict()})
    pipe.vae.load_state_dict(load_finished_autoencoder(folder).state_dict())
    encoder.load_state_dict(load_frozen_vision(folder).state_dict())
    pipe.set_progress_bar_config(disable=True)
    return Base(pipe, encoder)
