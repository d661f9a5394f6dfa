from rich.console import Console

from fastsam2_ros.doctor.findings import Finding, Verdict, table


def shown(*findings):
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(table([("group", findings)]))
    return console.export_text()


def test_every_finding_is_a_row_with_its_cure():
    text = shown(Finding("torch", Verdict.MISSING, "not installed", "pip install torch"))
    assert all(word in text for word in ("group", "torch", "missing", "not installed", "pip install torch"))


def test_text_from_elsewhere_is_no_markup_and_no_escape_sequence():
    text = shown(Finding("[bold]x", Verdict.GOOD, "\x1b[31mred"))
    assert "[bold]x" in text
    assert "\\x1b[31mred" in text
