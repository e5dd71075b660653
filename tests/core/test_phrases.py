"""Finding a subject's phrase in the prompt."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msd_core.phrases import match_phrases, words_of


def pieces(text: str) -> list[str]:
    """A prompt split as CLIP splits it: lower case, words and punctuation apart, long words in two."""
    found = []
    for word in re.findall(r"[a-z]+|[0-9]|[^\sa-z0-9]+", text.lower()):
        found += [word + "</w>"] if len(word) < 8 else [word[:5], word[5:] + "</w>"]
    return found


def window(text: str) -> list[str | None]:
    body = pieces(text)
    return [None, *body, None] + [None] * (75 - len(body))


def spans(prompt: str, *phrases: str):
    return match_phrases(window(prompt), [pieces(phrase) for phrase in phrases])


def test_a_word_is_found_at_its_token_after_the_start_token():
    assert spans("a dog on grass", "dog") == [(2,)]


def test_the_second_use_of_a_phrase_takes_its_second_occurrence():
    assert spans("a dog and a dog", "dog", "dog") == [(2,), (5,)]


def test_a_third_use_of_a_phrase_that_occurs_twice_is_absent():
    assert spans("a dog and a dog", "dog", "dog", "dog")[2] == ()


def test_a_phrase_of_several_words_spans_them_all():
    assert spans("a red backpack and a hat", "red backpack") == [(2, 3, 4)]


def test_a_phrase_never_matches_across_a_comma():
    assert spans("red, backpack", "red backpack") == [()]


@pytest.mark.parametrize("prompt", ["a Dog!", "a DOG, running", "(dog)", "a dog."])
def test_case_and_punctuation_around_a_word_are_ignored(prompt):
    assert spans(prompt, "dog")[0]
    assert spans(prompt, "dog!") == spans(prompt, "Dog")


def test_part_of_a_word_is_no_match():
    assert spans("a hotdog", "dog") == [()]
    assert spans("a doghouse", "dog") == [()]


def test_a_word_of_several_tokens_is_found_whole():
    assert spans("one elephant", "elephant") == [(2, 3)]


def test_windows_of_a_long_prompt_follow_one_another():
    prompt = window("a cat") + window("a dog")
    assert match_phrases(prompt, [["dog</w>"]]) == [(79,)]


def test_embeddings_between_words_take_positions_but_are_no_words():
    prompt = [None, "red</w>", None, None, "dog</w>", None]
    assert match_phrases(prompt, [["red</w>", "dog</w>"]]) == [(1, 4)]
    assert [word.text for word in words_of(prompt)] == ["red", "dog"]


@given(st.lists(st.sampled_from(["dog", "cat", "red", "elephant", ","]), max_size=12), st.integers(0, 11))
def test_every_span_spells_its_phrase(words, at):
    prompt = window(" ".join(words))
    phrase = [word for word in words[at : at + 2] if word != ","]
    if not phrase:
        return
    (span,) = match_phrases(prompt, [pieces(" ".join(phrase))])
    if span:
        assert [prompt[position] for position in span] == pieces(" ".join(phrase))
    else:
        assert "," in words[at : at + 2]


def test_a_phrase_without_words_is_absent():
    assert spans("a dog", "!?", "") == [(), ()]
