import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from fastsam2_ros.config import TrackerConfig, flat_options, flat_values
from fastsam2_ros.errors import InputError
from fastsam2_ros.node import parameters
from fastsam2_ros.node.parameters import NodeConfig


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


def change(loaded=True, **values):
    values = {name.replace("__", "."): value for name, value in values.items()}
    return parameters.changed(TrackerConfig(), NodeConfig(), values, loaded=loaded)


LIVE = [name for name, field in flat_options().items() if field.metadata["live"]]
FIXED = [name for name in flat_options() if name not in LIVE]


def test_every_budget_cue_and_threshold_is_live():
    groups = {name.partition(".")[0] for name in FIXED}
    assert groups == {"model", "language", "max_megapixels"}
    assert "language.min_margin" in LIVE


@pytest.mark.parametrize("name", LIVE)
def test_a_live_setting_changes_and_no_other(name):
    field = flat_options()[name]
    value = next(
        (each for each in field.metadata["choices"] if each != field.default),
        field.metadata["maximum"] or field.default,
    )
    value = type(field.default)(value)
    if name == "pruning.min_keep_ratio":
        value = 0.2  # at most the maximum
    config, _ = change(**{name: value})
    assert flat_values(config) == {**flat_values(TrackerConfig()), name: value}


def another_value(field):
    """One that a setting may have, but its default."""
    others = [each for each in field.metadata["choices"] if each != field.default]
    if others:
        return others[0]
    match field.default:
        case bool():
            return not field.default
        case str():
            return "other"
        case _:
            return field.default + 3


FIXED_OF_NODE = [name for name, field in parameters.OWN.items() if not field.metadata["live"]]


@pytest.mark.parametrize("name", [*FIXED, *FIXED_OF_NODE])
def test_what_is_read_when_models_are_loaded_is_refused_by_name_with_the_way_out(name):
    with pytest.raises(InputError, match=f"{name}.*cleanup"):
        change(**{name: another_value({**flat_options(), **parameters.OWN}[name])})


def test_what_is_read_when_models_are_loaded_changes_before_they_are():
    config, own = change(loaded=False, **{"model.name": "tiny", "image_transport": "compressed"})
    assert (config.model.name, own.image_transport) == ("tiny", "compressed")


def test_a_fixed_setting_may_be_set_to_what_it_is():
    assert change(**{"model.name": TrackerConfig().model.name})[0] == TrackerConfig()


def test_a_whole_number_is_taken_for_a_float_while_tracking():
    value = change(**{"pruning.target_rate": 30})[0].pruning.target_rate
    assert (value, type(value)) == (30.0, float)


def test_settings_that_belong_together_change_together():
    config, _ = change(**{"pruning.min_keep_ratio": 0.6, "pruning.max_keep_ratio": 0.8})
    assert (config.pruning.min_keep_ratio, config.pruning.max_keep_ratio) == (0.6, 0.8)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pruning.min_keep_ratio", 0.9),
        ("pruning.keep_ratio", 1.5),
        ("pruning.keep_ratio", float("nan")),
        ("max_targets", 0),
        ("max_targets", "two"),
        ("lost_seconds", None),
    ],
)
def test_a_bad_change_is_refused_by_name(name, value):
    with pytest.raises(InputError, match=name):
        change(**{name: value})


def test_parameters_of_others_are_passed_over():
    assert change(use_sim_time=True) == (TrackerConfig(), NodeConfig())
