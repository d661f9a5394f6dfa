import cv2
import pytest

from fastsam2_ros.config import TrackerConfig
from fastsam2_ros.errors import ModelError
from fastsam2_ros.node.main import load_tracker, main
from fastsam2_ros.tracker import TextTracker

from .fakes import CentreTracker


@pytest.fixture
def run(monkeypatch, domain, capfd):
    """Runs the node's main with parameters; gives exit code and log."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))

    def run(make_tracker, **parameters):
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
        code = main(["node", "--ros-args", *words], make_tracker)
        return code, "".join(capfd.readouterr())

    return run


def test_opencv_computes_in_one_thread_in_the_nodes_process(monkeypatch):
    monkeypatch.setattr(TextTracker, "from_config", lambda config: cv2.getNumThreads())
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        assert load_tracker(TrackerConfig()) == 1
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pruning.keep_ratio", "7.0"),
        ("pruning.keep_ratio", "7"),
        ("pruning.keep_ratio", ".nan"),
        ("image_transport", "theora"),
        ("model.checkpoint", "5"),
        ("max_targets", "0"),
    ],
)
def test_a_bad_parameter_is_one_line_that_names_it_and_exit_code_1(run, name, value):
    code, log = run(CentreTracker, **{name: value})
    assert code == 1
    (line,) = log.splitlines()
    assert "FATAL" in line
    assert name in line


@pytest.mark.parametrize(
    "content",
    [b"/**:\n  ros__parameters:\n    model: {name: [\n", b"\xff\xfe\x00", b"max_targets: 3\n", b"/**: 5\n",
     b"/**:\n  ros__parameters:\n    max_targets: [1, a]\n"],
)  # fmt: skip
def test_a_parameter_file_that_cannot_be_read_is_one_line(monkeypatch, domain, capfd, tmp_path, content):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    (tmp_path / "odd.yaml").write_bytes(content)
    assert main(["node", "--ros-args", "--params-file", str(tmp_path / "odd.yaml")], CentreTracker) == 1
    *_, line = lines = "".join(capfd.readouterr()).splitlines()
    assert len(lines) <= 2  # rcl has a line of its own
    assert "FATAL" in line
    assert "odd.yaml" in line


@pytest.mark.parametrize("words", [["-p", "max_targets"], ["-p", "max_targets:=[a"], ["--no-such-argument"]])
def test_ros_arguments_that_cannot_be_read_are_one_line(monkeypatch, domain, capfd, words):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    assert main(["node", "--ros-args", *words], CentreTracker) == 1
    *_, line = lines = "".join(capfd.readouterr()).splitlines()
    assert len(lines) <= 2  # rcl has a line of its own
    assert "FATAL" in line
    assert words[-1] in line


def test_a_misspelt_parameter_is_told_with_what_may_be_meant(run):
    def fail(config):
        raise ModelError("There is no checkpoint.")

    _, log = run(fail, **{"max_target": 3, "model.naem": "mini", "wheels": 4, "use_sim_time": "false"})
    (line,) = [line for line in log.splitlines() if "WARN" in line]
    assert "max_target (is max_targets meant?); model.naem (is model.name meant?); wheels." in line


def test_models_that_cannot_be_had_are_a_line_that_says_so_and_exit_code_1(run):
    def fail(config):
        raise ModelError("There is no checkpoint.")

    code, log = run(fail)
    assert code == 1
    assert log.count("There is no checkpoint") == 1
    assert "Traceback" not in log


def test_a_checkpoint_that_is_not_there_is_named_and_exit_code_1(run):
    code, log = run(load_tracker, **{"model.checkpoint": "/no/such/file.pt"})
    assert code == 1
    assert "/no/such/file.pt" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_mistake_in_the_program_is_shown_with_its_place(run, error):
    def fail(config):
        raise error

    code, log = run(fail)
    assert code == 1
    assert "Traceback" in log
    assert f"raise error\n{error.__name__}" in log
