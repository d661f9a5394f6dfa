import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fastsam2_ros.language.relevance import RelevanceMap, dense_relevance, sharpen, to_grid


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(*shape, seed=0):
    return F.normalize(random(*shape, seed=seed), dim=-1)


def test_relevance_is_the_softmax_over_all_texts():
    features, texts, negatives = unit(15, 8).T.reshape(8, 3, 5), unit(2, 8, seed=1), unit(4, 8, seed=2)
    logits = 10 * torch.cat((texts, negatives)) @ features.reshape(8, 15)
    expected = (logits.exp() / logits.exp().sum(0))[:2].reshape(2, 3, 5)
    torch.testing.assert_close(dense_relevance(features, texts, negatives, 10.0), expected)


def test_another_description_that_fits_better_takes_relevance_away():
    features, negatives = unit(1, 8).T.reshape(8, 1, 1), unit(4, 8, seed=2)
    poor, fitting = unit(1, 8, seed=3), features.reshape(1, 8)
    alone = dense_relevance(features, poor, negatives, 10.0)[0]
    beside = dense_relevance(features, torch.cat((poor, fitting)), negatives, 10.0)[0]
    assert beside < alone


def test_features_that_are_not_finite_have_no_relevance():
    features = unit(4, 8).T.reshape(8, 2, 2)
    features[:, 0, 1] = float("nan")
    relevance = dense_relevance(features, unit(1, 8, seed=1), unit(3, 8, seed=2), 10.0)
    assert relevance[0, 0, 1] == 0
    assert torch.isfinite(relevance).all()


def test_to_grid_keeps_places_and_goes_row_by_row():
    features = torch.stack(torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij"))
    torch.testing.assert_close(
        to_grid(features, (2, 3)),
        torch.tensor([[0.5, 0.5], [0.5, 2.5], [0.5, 4.5], [2.5, 0.5], [2.5, 2.5], [2.5, 4.5]]),
    )


def test_sharpening_spreads_relevance_over_tokens_that_look_alike_only():
    tokens = torch.cat((random(1, 16).repeat(6, 1), random(1, 16, seed=1).repeat(6, 1)))
    relevance = torch.zeros(1, 12)
    relevance[0, 0] = 1.0
    sharp = sharpen(relevance, tokens)[0]
    torch.testing.assert_close(sharp[:6], torch.full((6,), 1 / 6), atol=1e-3, rtol=0)
    assert sharp[6:].max() < 1e-3


def test_sharpening_in_parts_is_the_same_as_at_once(monkeypatch):
    relevance, tokens = torch.rand(2, 30, generator=torch.Generator().manual_seed(0)), random(30, 8)
    whole = sharpen(relevance, tokens)
    monkeypatch.setattr("fastsam2_ros.language.relevance.ROWS_AT_ONCE", 7)
    torch.testing.assert_close(sharpen(relevance, tokens), whole)


def test_the_map_is_the_ridge_regression_with_a_free_intercept():
    tokens, features = random(200, 12).double() + 3, random(200, 5, seed=1).double()
    fitted = RelevanceMap(10.0, ridge=0.1)
    fitted.fit(tokens, features)
    x = np.hstack((tokens.numpy(), np.ones((200, 1))))
    penalty = np.sqrt(0.1 * (tokens.numpy() ** 2).sum(0).mean())
    augmented = np.vstack((x, penalty * np.eye(13)[:12]))
    expected, *_ = np.linalg.lstsq(augmented, np.vstack((features.numpy(), np.zeros((12, 5)))), rcond=None)
    np.testing.assert_allclose(fitted.project(torch.eye(5)).numpy(), expected, atol=1e-5)


def test_keyframes_are_weighed_by_their_age():
    first, second = (random(100, 6), random(100, 3, seed=1)), (random(100, 6, seed=2), random(100, 3, seed=3))
    fitted = RelevanceMap(10.0, ridge=0.0, decay=0.25)
    fitted.fit(*first)
    fitted.fit(*second)
    x = np.hstack((torch.cat((0.5 * first[0], second[0])).numpy(), np.r_[np.full(100, 0.5), np.ones(100)][:, None]))
    expected, *_ = np.linalg.lstsq(x, torch.cat((0.5 * first[1], second[1])).numpy(), rcond=None)
    np.testing.assert_allclose(fitted.project(torch.eye(3)).numpy(), expected, atol=1e-5)


def planted(seed):
    """Tokens (400, 32) whose first 40 show the described thing, and the features that they stand for (400, 16)."""
    things = unit(4, 16, seed=9)
    kind = torch.cat(
        (torch.zeros(40, dtype=torch.long), torch.randint(1, 4, (360,), generator=torch.Generator().manual_seed(seed)))
    )
    features = things[kind]
    tokens = features @ random(16, 32, seed=8) + 0.3 * random(400, 32, seed=seed) + 2
    return tokens, features, things


def test_the_map_finds_the_described_thing_in_a_frame_it_was_not_fitted_on():
    tokens, features, things = planted(seed=1)
    fitted = RelevanceMap(20.0)
    fitted.aim(things[:1], things[1:])
    fitted.fit(tokens, features)
    relevance = fitted.relevance(planted(seed=2)[0])
    assert relevance.shape == (1, 400)
    assert relevance[0, :40].min() > relevance[0, 40:].max()
    assert relevance.min() >= 0
    assert relevance.max() <= 1


def test_relevance_of_the_map_is_that_of_its_projected_features():
    tokens, features, things = planted(seed=1)
    fitted = RelevanceMap(20.0)
    fitted.fit(tokens, features)
    fitted.aim(things[:2], things[2:])
    rows = F.pad(tokens, (0, 1), value=1.0) @ fitted.project(torch.eye(16))
    expected = torch.softmax(20.0 * rows @ things.T, dim=1).T[:2]
    torch.testing.assert_close(fitted.relevance(tokens), expected, atol=1e-5, rtol=1e-4)


def test_a_new_aim_needs_no_new_keyframe():
    tokens, features, things = planted(seed=1)
    fitted = RelevanceMap(20.0)
    fitted.fit(tokens, features)
    fitted.aim(things[:1], things[1:])
    first = fitted.relevance(tokens)
    fitted.aim(things[1:2], things[[0, 2, 3]])
    assert first[0, :40].mean() > 0.5 > fitted.relevance(tokens)[0, :40].mean()


def test_bad_rows_are_left_out_of_the_fit():
    tokens, features, _ = planted(seed=1)
    clean, dirty = RelevanceMap(20.0), RelevanceMap(20.0)
    clean.fit(tokens[:-2], features[:-2])
    tokens[-1, 3], features[-2, 0] = float("nan"), float("inf")
    dirty.fit(tokens, features)
    torch.testing.assert_close(dirty.project(torch.eye(16)), clean.project(torch.eye(16)))


def test_a_keyframe_without_structure_gives_no_nan():
    fitted = RelevanceMap(20.0)
    fitted.fit(torch.zeros(10, 4), torch.zeros(10, 3))
    fitted.aim(unit(1, 3), unit(2, 3, seed=1))
    assert torch.isfinite(fitted.relevance(torch.zeros(10, 4))).all()


def test_the_map_is_ready_with_a_keyframe_and_something_to_look_for():
    fitted = RelevanceMap(20.0)
    fitted.aim(unit(1, 16), unit(2, 16, seed=1))
    before = fitted.ready
    fitted.fit(*planted(seed=1)[:2])
    assert (before, fitted.ready) == (False, True)
    fitted.aim(torch.zeros(0, 16), unit(2, 16))
    assert not fitted.ready


def test_asking_too_early_says_what_is_missing():
    with pytest.raises(RuntimeError, match="call fit and aim"):
        RelevanceMap(20.0).relevance(torch.zeros(3, 4))
