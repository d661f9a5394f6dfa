import unicodedata

import pytest

from fastsam2_ros.printable import printable


@pytest.mark.parametrize("text", ["red mug", "rote Tasse mit ä", "赤いカップ ☕", "'quoted' \\ {}", ""])
def test_plain_text_stays_as_it_is(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028end", "line\\u2028end"),
        ("\x00\x9b\x7f", "\\x00\\x9b\\x7f"),
        ("lone \ud800", "lone \\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert printable(text) == shown


def test_long_text_is_cut_and_its_length_told():
    assert printable("a" * 100_000, 5) == "aaaaa... (100000 characters)"


def test_no_character_at_all_comes_out_as_a_control():
    shown = "".join(printable(chr(code)) for code in range(0x110000))
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
