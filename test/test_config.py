"""What empty language settings stand for."""

import pytest

from fastsam2_ros.config import LanguageConfig


def test_mini_gets_the_language_model_that_was_trained_with_it():
    suited = LanguageConfig().suited("mini")
    assert (suited.name, suited.weights, suited.image_size) == ("mini", "mini", 512)


def test_other_models_get_released_weights():
    suited = LanguageConfig().suited("tiny")
    assert (suited.name, suited.weights, suited.image_size) == ("ViT-B-16", "datacomp_xl_s13b_b90k", 0)


@pytest.mark.parametrize("given", [{"image_size": 512}, {"min_margin": 0.5}, {"weights": "untrained"}])
def test_what_is_given_stays(given):
    suited = LanguageConfig(**given).suited("mini")
    assert {name: getattr(suited, name) for name in given} == given
    assert suited.name == "mini"


def test_a_named_model_does_not_get_anothers_weights():
    suited = LanguageConfig(name="ViT-L-14").suited("mini")
    assert suited.name == "ViT-L-14"
    assert suited.weights != LanguageConfig().suited("tiny").weights
