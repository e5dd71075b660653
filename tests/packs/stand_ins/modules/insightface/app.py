"""Finds one face in every picture."""

from types import SimpleNamespace

import numpy as np

WIDTH = 512


class Face(dict):
    """A found face; its parts are both items and attributes."""

    __getattr__ = dict.__getitem__


class FaceAnalysis:
    """A face in the picture's middle, whose embedding is drawn with the picture's brightness as the seed."""

    def __init__(self, *_, **__):
        self.det_model = SimpleNamespace(input_size=(640, 640))

    def prepare(self, *_, **__):
        pass

    def get(self, image):
        height, width = image.shape[:2]
        embedding = np.random.default_rng(int(image.sum())).standard_normal(WIDTH).astype(np.float32)
        box = np.array([0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height])
        points = np.array(((0.4, 0.4), (0.6, 0.4), (0.5, 0.5), (0.4, 0.6), (0.6, 0.6))) * (width, height)
        return [Face(embedding=embedding, normed_embedding=embedding / np.linalg.norm(embedding), bbox=box, kps=points)]
