"""A parser that takes the whole picture for face."""

import torch

FACE, LABELS = 1, 19


def init_parsing_model(*_, **__):
    def parse(image):
        scores = torch.zeros(image.shape[0], LABELS, *image.shape[2:])
        scores[:, FACE] = 1.0
        return [scores]

    return parse
