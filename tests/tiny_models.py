"""Models of transformers' and spaCy's real classes, tiny and with random weights, in folders as these keep them."""

from __future__ import annotations

import random
from pathlib import Path

DETECTOR_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "cat", ".", "?"]
SAID = ("a red dog and a hat", "the cat on a bench", "a man with a brown mug", "two dogs and the cat")
"""Whole captions, each one token of the tiny captioner: whatever its random weights choose is English."""
THINGS = ("dog", "dogs", "cat", "hat", "mug", "man", "table", "bench")
LOOKS = ("red", "brown", "small")


def save_grounding_dino(folder: Path) -> Path:
    """Grounding DINO with its processor."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(DETECTOR_WORDS))
    text = transformers.BertConfig(vocab_size=len(DETECTOR_WORDS), hidden_size=32, num_hidden_layers=1,
                                   num_attention_heads=2, intermediate_size=32)
    backbone = transformers.SwinConfig(embed_dim=16, depths=[1, 1, 1], num_heads=[1, 1, 2], window_size=4,
                                       image_size=64, out_features=["stage2", "stage3"])
    config = transformers.GroundingDinoConfig(
        backbone_config=backbone, text_config=text, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=6,
        num_feature_levels=2, max_text_len=16, two_stage=True,
    )
    torch.manual_seed(0)
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
    images = transformers.GroundingDinoImageProcessor(size={"height": 64, "width": 64}, do_pad=False)
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def save_blip2(folder: Path) -> Path:
    """BLIP-2 with OPT and its processor; it says one of `SAID`."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<pad>", "<unk>", "</s>", *SAID]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>",
                                                eos_token="</s>", bos_token="</s>")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Blip2Config(
        vision_config={**small, "intermediate_size": 16, "image_size": 28, "patch_size": 14},
        qformer_config={**small, "num_hidden_layers": 2, "intermediate_size": 16, "encoder_hidden_size": 16,
                        "vocab_size": 32},
        text_config={**small, "model_type": "opt", "ffn_dim": 16, "vocab_size": len(words) + 1,
                     "max_position_embeddings": 64, "word_embed_proj_dim": 16, "pad_token_id": 0, "bos_token_id": 2,
                     "eos_token_id": [words.index(said) for said in SAID]},  # it says one of them and ends
        num_query_tokens=4, image_token_index=len(words),
    )
    torch.manual_seed(5)
    model = transformers.Blip2ForConditionalGeneration(config)
    # Random weights say what the picture decides only where the picture's part is loud.
    attention = model.language_model.model.decoder.layers[0].self_attn
    for part in (model.language_projection, attention.v_proj, attention.out_proj):
        part.weight.data *= 50
    model.language_model.lm_head.weight.data[-len(SAID) - 1 : -1] *= 50
    model.save_pretrained(folder)
    images = transformers.BlipImageProcessor(size={"height": 28, "width": 28})
    transformers.Blip2Processor(images, fast, num_query_tokens=4).save_pretrained(folder)
    return folder


def save_sam(folder: Path) -> Path:
    """SAM with its processor."""
    import torch
    import transformers

    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_dim": 16}
    sizes = {"image_size": 64, "patch_size": 16}
    config = transformers.SamConfig(
        vision_config={**small, **sizes, "output_channels": 16, "window_size": 2, "num_pos_feats": 8,
                       "global_attn_indexes": [0]},
        prompt_encoder_config={**sizes, "hidden_size": 16, "mask_input_channels": 4},
        mask_decoder_config={**small, "iou_head_hidden_dim": 16},
    )
    torch.manual_seed(3)
    transformers.SamModel(config).save_pretrained(folder)
    images = transformers.SamImageProcessor(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})
    transformers.SamProcessor(images).save_pretrained(folder)
    return folder


def save_dinov2(folder: Path) -> Path:
    """DINOv2 with its image processor."""
    import torch
    import transformers

    config = transformers.Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2,
                                       image_size=56, patch_size=14)
    torch.manual_seed(2)
    transformers.Dinov2Model(config).save_pretrained(folder)
    images = transformers.BitImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 42, "width": 42})
    images.save_pretrained(folder)
    return folder


def save_clip(folder: Path) -> Path:
    """CLIP, both parts, with its image processor."""
    import torch
    import transformers

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(text_config={**small, "vocab_size": 64},
                                     vision_config={**small, "image_size": 32, "patch_size": 8}, projection_dim=12)
    torch.manual_seed(4)
    transformers.CLIPModel(config).save_pretrained(folder)
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    images.save_pretrained(folder)
    return folder


def save_spacy(folder: Path) -> Path:
    """A pipeline with tagger and parser, taught in seconds the sentences that the captioner says."""
    import spacy
    from spacy.training import Example

    pipeline, draw = spacy.blank("en"), random.Random(0)
    taught = []
    for _ in range(50):
        words = _sentence(draw)
        columns = dict(zip(("words", "pos", "deps", "heads"), map(list, zip(*words, strict=True)), strict=True))
        columns["sent_starts"] = [1] + [-1] * (len(words) - 1)
        taught.append(Example.from_dict(pipeline.make_doc(" ".join(columns["words"])), columns))
    pipeline.add_pipe("morphologizer")
    pipeline.add_pipe("parser", config={"min_action_freq": 1})
    pipeline.initialize(lambda: taught)
    for _ in range(8):
        draw.shuffle(taught)
        for start in range(0, len(taught), 10):
            pipeline.update(taught[start : start + 10])
    pipeline.to_disk(folder)
    return folder


def _sentence(draw: random.Random) -> list[tuple[str, str, str, int]]:
    """Word, part of speech, dependency and head of "a red dog and the hat on a bench"."""
    words: list[list] = []
    before = None
    for _ in range(draw.choice((1, 2, 3))):
        joint = None
        if before is not None:
            joint = draw.choice(("and", "on", "with"))
            words.append([joint, *(("CCONJ", "cc") if joint == "and" else ("ADP", "prep")), before])
        link, start = len(words) - 1, len(words)
        words.append(draw.choice((["a", "DET", "det", 0], ["the", "DET", "det", 0], ["two", "NUM", "nummod", 0])))
        if draw.random() < 0.5:
            words.append([draw.choice(LOOKS), "ADJ", "amod", 0])
        noun = len(words)
        words.append([draw.choice(THINGS), "NOUN", *(
            ("ROOT", noun) if joint is None else ("conj", before) if joint == "and" else ("pobj", link)
        )])
        for word in words[start:noun]:
            word[3] = noun
        before = noun
    return [tuple(word) for word in words]
