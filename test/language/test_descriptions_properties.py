"""Whatever text is sent, what is left of it can be searched, logged and sent on, and means the same when it is sent again."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from fastsam2_ros.errors import InputError
from fastsam2_ros.language.descriptions import MAX_CHARACTERS, SEPARATOR, key, single, split
from fastsam2_ros.printable import printable

texts = st.text() | st.text(st.sampled_from("a Aß；;؛;\u200d\u202e\x00\n\u0301é🇩\ud800ﬁ"), max_size=40)
everything = st.text(st.characters())  # unpaired surrogates too


def accepted(text: str, most: int = 8) -> tuple[str, ...]:
    try:
        return split(text, most)
    except InputError:
        return ()


@given(texts | everything, st.integers(1, 8))
def test_descriptions_are_few_short_and_different(text: str, most: int) -> None:
    found = accepted(text, most)
    assert len(found) <= most
    assert len({key(each) for each in found}) == len(found)
    assert all(0 < len(each) <= MAX_CHARACTERS for each in found)


@given(texts | everything)
def test_a_description_can_be_sent_and_shown(text: str) -> None:
    for each in accepted(text):
        each.encode("utf-8")
        assert each == " ".join(each.split())
        assert not {unicodedata.category(character) for character in each} & {"Cc", "Cs", "Zl", "Zp"}
        assert SEPARATOR not in each


@given(texts | everything)
def test_what_was_accepted_means_the_same_when_it_is_sent_again(text: str) -> None:
    found = accepted(text)
    assert accepted(SEPARATOR.join(found)) == found


@given(texts)
def test_capitals_and_blanks_make_no_other_description(text: str) -> None:
    for each in accepted(text):
        assert key(each) == key(f"  {each} ")
        assert key(each.casefold()) == key(each)


@given(texts | everything)
def test_a_single_description_is_one(text: str) -> None:
    try:
        found = single(text)
    except InputError:
        return
    assert split(found, 1) == ((found,) if found else ())


@given(everything, st.integers(1, 50))
def test_text_from_elsewhere_becomes_one_printable_line(text: str, most: int) -> None:
    shown = printable(text, most)
    assert "\n" not in shown
    assert not {unicodedata.category(character)[0] for character in shown} & {"C"}
    assert len(shown) <= 10 * most + 40
    shown.encode("utf-8")
