"""What models have made of photos: kept with the photos, and with them forgotten."""

import copy
import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from msd_core.embeds import Projections, SubjectTokens
from msd_core.photo import RECENT, KnownPhotos, Origin, Photo
from msd_core.subject import SQUARE, Subject


class Model:
    """Stands for a model; counts what it makes."""

    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        return torch.full((1,), float(self.made))


def views():
    return torch.zeros(1, 4, 4, 3)


def test_a_result_is_made_once_for_each_key_and_model():
    photo, first, second = Photo(views()), Model(), Model()
    results = [photo.result(model, key, model) for _ in range(3) for model in (first, second) for key in ("a", "b")]
    assert first.made == second.made == 2
    assert len({id(result) for result in results}) == 4


def test_only_the_latest_results_are_kept():
    photo, model = Photo(views()), Model()
    for key in range(RECENT + 1):
        photo.result(model, key, model)
        photo.result(model, 0, model)
    assert model.made == RECENT + 1
    photo.result(model, 1, model)
    assert model.made == RECENT + 2


def test_results_go_with_their_model_and_with_the_photo():
    photo, model, other = Photo(views()), Model(), Model()
    gone, kept = (weakref.ref(photo.result(one, "a", one)) for one in (model, other))
    del model
    assert gone() is None
    assert kept() is not None
    del photo
    assert kept() is None


def test_a_copy_is_the_photo_itself_and_a_pickled_one_starts_anew():
    photo, model = Photo(views()), Model()
    photo.result(model, "a", model)
    assert copy.deepcopy(photo) is photo
    assert len(pickle.loads(pickle.dumps(photo)).made) == 0


def test_a_subject_changed_in_anything_but_its_views_keeps_its_photo():
    from dataclasses import replace

    subject = Subject(torch.zeros(1, SQUARE, SQUARE, 3), "dog")
    assert replace(subject, phrase="cat", weight=0.5, end=0.5).photo is subject.photo
    assert replace(subject, views=subject.views.clone()).photo is not subject.photo
    assert replace(subject, views=subject.views.clone()).photo.views is not subject.views


# Photos that come again


def cut(image, mask=None, seen=None):
    seen = views() if seen is None else seen
    return Photo(seen, Origin(seen, image, mask))


def test_photos_of_the_same_origin_share_what_is_made_of_them():
    known, image, mask, model = KnownPhotos(), torch.zeros(1), torch.zeros(1), Model()
    for photo in (cut(image, mask), cut(image, mask)):
        known.meet(photo)
        photo.result(model, "a", model)
    assert model.made == 1


@pytest.mark.parametrize("change", ["image", "mask", "no mask", "views"])
def test_another_image_or_mask_or_fit_is_another_photo(change):
    """Another fit, and an image whose pixels are written anew, show in the views."""
    known, image, mask, model = KnownPhotos(), torch.zeros(1), torch.zeros(1), Model()
    other = {
        "image": (torch.zeros(1), mask), "mask": (image, torch.zeros(1)), "no mask": (image,),
        "views": (image, mask, torch.ones(1, 4, 4, 3)),
    }[change]
    for photo in (cut(image, mask), cut(*other)):
        known.meet(photo)
        photo.result(model, "a", model)
    assert model.made == 2


def test_what_was_made_of_a_photo_is_forgotten_with_what_it_was_cut_from():
    known, image, model = KnownPhotos(), torch.zeros(1), Model()
    photo = cut(image)
    known.meet(photo)
    result = weakref.ref(photo.result(model, "a", model))
    del photo
    assert result() is not None
    del image
    assert len(known) == 0
    assert result() is None


def test_a_new_tensor_at_an_old_ones_address_is_a_new_photo():
    known, model = KnownPhotos(), Model()
    for turn in range(1, 50):
        image = torch.zeros(3)
        photo = cut(image)
        known.meet(photo)
        photo.result(model, "a", model)
        del photo, image
        assert model.made == turn


def test_a_photo_takes_what_was_made_of_it_along_to_another_adapter():
    first, second, image, model = KnownPhotos(), KnownPhotos(), torch.zeros(1), Model()
    for known, photo in ((first, cut(image)), (first, again := cut(image)), (second, again), (second, cut(image))):
        known.meet(photo)
        photo.result(model, "a", model)
    assert model.made == 1


def test_threads_that_cut_and_forget_photos_at_once_get_what_is_theirs():
    known, models = KnownPhotos(), [Model(), Model()]

    def work(number):
        for turn in range(100):
            image, seen = torch.zeros(1), torch.full((1, 4, 4, 3), float(100 * number + turn))
            photo = cut(image, seen=seen)
            known.meet(photo)
            for model in models:
                assert photo.result(model, "a", lambda seen=seen: seen.mean()) == 100 * number + turn
        return True

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
    assert len(known) == 0


def test_known_photos_go_at_once_with_whoever_knows_them():
    """A cycle would keep them until the next collection."""
    gc.disable()
    try:
        known, image, model = KnownPhotos(), torch.zeros(1), Model()
        photo = cut(image)
        known.meet(photo)
        result = weakref.ref(photo.result(model, "a", model))
        del known, photo
        assert result() is None
    finally:
        gc.enable()


# Keys and values


class Adapter:
    def __init__(self):
        self.projected = []

    def project(self, tokens, dtype):
        self.projected.append(dtype)
        return tokens.to(dtype)


def test_keys_and_values_are_made_once_for_each_adapter_and_dtype():
    made, first, second = Projections(torch.zeros(1, 2, 3)), Adapter(), Adapter()
    for _ in range(2):
        for dtype in (torch.float16, torch.float32):
            assert made.at(first, dtype, first.project).dtype == dtype
            made.at(second, dtype, second.project)
    assert first.projected == second.projected == [torch.float16, torch.float32]


def test_they_stay_with_the_tokens_whatever_else_of_the_subject_changes():
    from dataclasses import replace

    subject = SubjectTokens(torch.zeros(1, 2, 3), None, "dog")
    assert replace(subject, weight=2.0, phrase="cat", region=None).projections is subject.projections
    mixed = replace(subject, tokens=torch.ones(1, 2, 3))
    assert mixed.projections is not subject.projections
    assert mixed.projections.tokens is mixed.tokens


def test_they_go_with_the_adapter_and_are_not_pickled():
    made, adapter = Projections(torch.zeros(1, 2, 3)), Adapter()
    result = weakref.ref(made.at(adapter, torch.float16, adapter.project))
    del adapter
    assert result() is None
    assert torch.equal(pickle.loads(pickle.dumps(made)).tokens, made.tokens)
    assert copy.deepcopy(made) is made
