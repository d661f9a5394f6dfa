from fastsam2_ros.node.rates import RateMeter


def test_the_rate_of_nothing_is_zero():
    assert RateMeter().rate() == 0.0


def test_one_event_has_no_rate_yet():
    rates = RateMeter()
    rates.tick()
    assert rates.rate() == 0.0


def test_evenly_spaced_events_give_their_rate():
    now = 0.0
    rates = RateMeter(5.0, lambda: now)
    for step in range(31):
        now = step * 0.1
        rates.tick()
    assert abs(rates.rate() - 10.0) < 1e-6


def test_old_events_are_forgotten():
    now = 0.0
    rates = RateMeter(5.0, lambda: now)
    for step in range(10):
        now = step * 0.1
        rates.tick()
    now = 60.0
    assert rates.rate() == 0.0


def test_a_rate_below_that_of_the_window_is_known():
    now = 0.0
    rates = RateMeter(5.0, lambda: now)
    for tick in (0.0, 10.0, 20.0):
        now = tick
        rates.tick()
    now = 29.0
    assert rates.rate() == 0.1


def test_a_slow_rate_falls_to_zero_too():
    now = 0.0
    rates = RateMeter(5.0, lambda: now)
    for tick in (0.0, 10.0, 20.0):
        now = tick
        rates.tick()
    now = 51.0
    assert rates.rate() == 0.0
