import pytest

from fastsam2_ros.node.journal import BURST, INTERVAL, REPEAT, Journal


def test_all_is_well_at_first():
    assert Journal().newest == ""


def test_the_same_problem_is_logged_once():
    journal = Journal()
    assert [journal.report("image", "It is empty.") for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(
    ("first", "second", "logged"),
    [
        ("step is 10 bytes", "step is 11 bytes", False),
        ("stamp 1.5 s", "stamp 2.75 s", False),
        ("encoding 'bayer_rggb8'", "encoding 'bayer_rggb16'", True),
        ("encoding '16UC1'", "encoding '32FC1'", True),
        ("it is empty", "it is truncated", True),
    ],
)
def test_numbers_make_no_new_kind_but_words_do(first, second, logged):
    journal = Journal()
    journal.report("image", first)
    assert journal.report("image", second) is logged


def test_the_same_text_about_another_subject_is_logged():
    journal = Journal()
    journal.report("image", "It is empty.")
    assert journal.report("target", "It is empty.")


def test_a_problem_is_logged_again_after_a_minute():
    now = 0.0
    journal = Journal(lambda: now)
    journal.report("camera", "silent for 3 s")
    now = REPEAT - 1
    assert not journal.report("camera", "silent for 9 s")
    now = REPEAT
    assert journal.report("camera", "silent for 60 s")


def test_a_subject_is_limited_by_rate_whatever_its_texts():
    now = 0.0
    journal = Journal(lambda: now)
    logged = 0
    for index in range(1020):
        now = index * 0.06  # a minute and a second in all
        logged += journal.report("image", f"encoding 'x{index}'")
    assert logged == BURST + int(60 / INTERVAL)


def test_another_subject_is_not_held_up_by_that():
    journal = Journal()
    for index in range(100):
        journal.report("image", f"encoding 'x{index}'")
    assert journal.report("camera", "silent")


def test_what_is_not_logged_is_the_newest_problem_all_the_same():
    journal = Journal()
    for index in range(100):
        journal.report("image", f"encoding 'x{index}'")
    assert journal.newest == "encoding 'x99'"


def test_what_is_only_said_is_no_problem():
    journal = Journal()
    assert journal.says("accepted", "Looking for: cup")
    assert journal.newest == ""
    assert journal.problems == {}


def test_the_newest_open_problem_is_shown():
    journal = Journal()
    journal.report("image", "a")
    journal.report("target", "b")
    journal.report("image", "c")
    assert journal.newest == "c"


def test_a_cleared_problem_uncovers_the_one_before():
    journal = Journal()
    journal.report("target", "b")
    journal.report("image", "c")
    journal.clear("image", "tracker")
    assert journal.newest == "b"


def test_a_problem_that_comes_back_is_shown_though_not_logged():
    journal = Journal()
    journal.report("image", "a")
    journal.clear("image")
    journal.report("image", "a")
    assert journal.newest == "a"
