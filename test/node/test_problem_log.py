import pytest

from fastsam2_ros.node.problem_log import BURST, INTERVAL, REPEAT, ProblemLog


def newest(log):
    """The newest problem that is still open; empty: all is well."""
    return next(reversed(log.problems.values()), "")


def test_all_is_well_at_first():
    assert newest(ProblemLog()) == ""


def test_the_same_problem_is_logged_once():
    log = ProblemLog()
    assert [log.report("image", "It is empty.") for _ in range(3)] == [True, False, False]


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
    log = ProblemLog()
    log.report("image", first)
    assert log.report("image", second) is logged


def test_the_same_text_about_another_subject_is_logged():
    log = ProblemLog()
    log.report("image", "It is empty.")
    assert log.report("target", "It is empty.")


def test_a_problem_is_logged_again_after_a_minute():
    now = 0.0
    log = ProblemLog(lambda: now)
    log.report("camera", "silent for 3 s")
    now = REPEAT - 1
    assert not log.report("camera", "silent for 9 s")
    now = REPEAT
    assert log.report("camera", "silent for 60 s")


def test_a_subject_is_limited_by_rate_whatever_its_texts():
    now = 0.0
    log = ProblemLog(lambda: now)
    logged = 0
    for index in range(1020):
        now = index * 0.06  # a minute and a second in all
        logged += log.report("image", f"encoding 'x{index}'")
    assert logged == BURST + int(60 / INTERVAL)


def test_another_subject_is_not_held_up_by_that():
    log = ProblemLog()
    for index in range(100):
        log.report("image", f"encoding 'x{index}'")
    assert log.report("camera", "silent")


def test_what_is_not_logged_is_the_newest_problem_all_the_same():
    log = ProblemLog()
    for index in range(100):
        log.report("image", f"encoding 'x{index}'")
    assert newest(log) == "encoding 'x99'"


def test_what_is_only_said_is_no_problem():
    log = ProblemLog()
    assert log.says("accepted", "Looking for: cup")
    assert newest(log) == ""
    assert log.problems == {}


def test_the_newest_open_problem_is_shown():
    log = ProblemLog()
    log.report("image", "a")
    log.report("target", "b")
    log.report("image", "c")
    assert newest(log) == "c"


def test_a_cleared_problem_uncovers_the_one_before():
    log = ProblemLog()
    log.report("target", "b")
    log.report("image", "c")
    log.clear("image", "tracker")
    assert newest(log) == "b"


def test_what_is_waited_for_hides_no_problem():
    log = ProblemLog()
    log.note("start", "loading")
    assert newest(log) == "loading"
    log.report("address", "no such camera")
    log.note("start", "waiting for images")
    assert newest(log) == "no such camera"
    log.clear("address")
    assert newest(log) == "waiting for images"


def test_a_problem_that_comes_back_is_shown_though_not_logged():
    log = ProblemLog()
    log.report("image", "a")
    log.clear("image")
    log.report("image", "a")
    assert newest(log) == "a"
