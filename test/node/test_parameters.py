import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from fastsam2_ros.config import TrackerConfig, flat_options
from fastsam2_ros.errors import InputError
from fastsam2_ros.node import parameters


@pytest.fixture
def declared(context):
    nodes = []

    def declare(**values):
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        node = Node("parameters", context=context, parameter_overrides=overrides)
        nodes.append(node)
        return node, *parameters.declare(node)

    yield declare
    for node in nodes:
        node.destroy_node()


def test_the_defaults_are_those_of_the_core(declared):
    assert declared()[1] == TrackerConfig()


def test_there_is_a_parameter_for_every_setting(declared):
    node, *_ = declared()
    assert all(node.has_parameter(name) for name in flat_options())


def test_every_parameter_has_a_description(declared):
    node, *_ = declared()
    names = [*flat_options(), "image_transport", "description"]
    assert all(descriptor.description for descriptor in node.describe_parameters(names))


def test_a_range_is_declared(declared):
    node, *_ = declared()
    (range_,) = node.describe_parameter("pruning.full_motion").floating_point_range
    assert (range_.from_value, range_.to_value) == (0.001, 100.0)


def test_a_range_of_whole_numbers_is_declared(declared):
    node, *_ = declared()
    (range_,) = node.describe_parameter("max_targets").integer_range
    assert (range_.from_value, range_.to_value) == (1, 256)


def test_choices_are_declared(declared):
    node, *_ = declared()
    assert "bf16" in node.describe_parameter("model.precision").additional_constraints


def test_a_value_arrives_in_its_group(declared):
    _, config, own = declared(**{"model.name": "mini", "max_targets": 2, "description": "cup"})
    assert (config.model.name, config.max_targets, own.description) == ("mini", 2, "cup")


def test_a_whole_number_is_a_float_where_the_setting_is_one(declared):
    _, config, _ = declared(**{"pruning.keep_ratio": 1})
    assert config.pruning.keep_ratio == 1.0
    assert isinstance(config.pruning.keep_ratio, float)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pruning.keep_ratio", 2),
        ("pruning.keep_ratio", "half"),
        ("pruning.target_rate", float("nan")),
        ("model.precision", "fp8"),
        ("model.checkpoint", 5),
        ("max_targets", 1.5),
        ("max_targets", True),
        ("image_transport", "theora"),
    ],
)
def test_a_bad_value_is_refused_by_name(declared, name, value):
    with pytest.raises((InputError, rclpy.exceptions.ParameterException), match=name):
        declared(**{name: value})


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("max_targets", "many", "a whole number"),
        ("model.name", 5, "a text"),
        ("pruning.keep_ratio", "half", "a number"),
    ],
)
def test_what_a_value_must_be_is_said_in_words(declared, name, value, kind):
    with pytest.raises(InputError, match=rf"{name} is {value!r}; it must be {kind}\."):
        declared(**{name: value})


def test_nothing_changes_while_the_node_runs(declared):
    node, *_ = declared()
    result = node.set_parameters([Parameter("pruning.keep_ratio", value=0.5)])[0]
    assert not result.successful
    assert "read-only" in result.reason
