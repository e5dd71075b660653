"""Settings and the command line: defaults of the paper, rows of table 3, and what is refused."""

from __future__ import annotations

import pytest

from training.sdxl.command import main, parser, settings_of
from training.sdxl.settings import ROWS, Settings


def told(*arguments: str) -> Settings:
    return settings_of(parser().parse_args(arguments))


def test_the_defaults_are_the_papers():
    made = told()
    assert (made.steps, made.rate, made.batch, made.gamma) == (120_000, 1e-4, 8, 1.0)
    assert (made.drop_grounding, made.projector, made.masks) == (0.1, "grounding", True)
    assert (made.image_attention_loss, made.text_attention_loss, made.precision) == (0.0, 0.0, "bf16")


def test_every_setting_is_an_option():
    made = told("--rate", "2e-5", "--no-masks", "--no-checkpointing", "--projector", "plain", "--size", "832x1216")
    assert (made.rate, made.masks, made.checkpointing, made.projector) == (2e-5, False, False, "plain")
    assert made.pixels == (832, 1216)


def test_a_row_of_table_3_is_its_settings_and_gives_way_to_those_that_are_named():
    made = told("--row", "w/o LG w/IAL&TAL")
    assert (made.projector, made.masks, made.image_attention_loss, made.text_attention_loss) == (
        "plain", False, 0.01, 0.01
    )
    assert told("--row", "w/o MCA", "--masks").masks
    assert list(ROWS) == ["MS-Diffusion", "w/o RS", "w/o GRS", "w/o MCA", "w/o LG w/IAL", "w/o LG w/IAL&TAL"]


@pytest.mark.parametrize("arguments, sentence", [
    (["--steps", "0"], "--steps is 0 but must be 1 or more"),
    (["--rate", "nan"], "--rate is nan but must be a number above 0"),
    (["--drop", "0.5"], "--drop is 0.5 but must lie between 0 and 0.3333"),
    (["--average", "1.5"], "--average is 1.5 but must lie between 0 and 1"),
    (["--projector", "mlp"], "--projector is 'mlp' but must be one of grounding, plain, linear"),
    (["--optimiser", "sgd"], "--optimiser is 'sgd' but must be one of adamw, adamw8bit, muon"),
    (["--prediction", "sample"], "--prediction is 'sample' but must be one of epsilon, v_prediction"),
    (["--size", "1024"], "--size is '1024' but must be a width and a height"),
    (["--size", "1000x1001"], "--size is 1000x1001 but both sides must be multiples of 8"),
    (["--row", "w/o all"], "--row is 'w/o all' but must be one of MS-Diffusion"),
    (["--gamma", "-1"], "--gamma is -1.0 but must be 0 or more"),
    ([], "--base is not given but training needs it"),
    (["--base", "b", "--image-encoder", "i", "--shards", "nowhere", "--folder", "f"], "nowhere has no shard-*.tar"),
    (["--base", "b", "--image-encoder", "i", "--shards", "s", "--folder", "f", "--workers", "-1"], "--workers is -1"),
])
def test_bad_options_are_one_sentence(arguments, sentence, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"training.sdxl: {sentence}") and said.count("\n") == 1 and ": " in said[15:]


def test_files_of_another_kind_are_one_sentence(shards_folder, base_files, tmp_path, capsys):
    base, encoder = base_files
    for given, sentence in (
        ((tmp_path / "no", encoder), "is named but there is no such file or folder"),
        ((encoder, encoder), "but no folder with a model_index.json"),
        ((base, base), "but no folder with a config.json"),
    ):
        paths = ["--base", given[0], "--image-encoder", given[1], "--shards", shards_folder, "--folder", tmp_path]
        assert main([*map(str, paths), "--size", "64x64"]) == 1
        said = capsys.readouterr().err.splitlines()[-1]  # transformers shows how far it has loaded
        assert said.startswith("training.sdxl: ") and sentence in said
