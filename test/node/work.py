"""What a worker works for: a listener that notes what it hears, frames, and a gate inside a step."""

import threading

import numpy as np


class Listener:
    """Frames are (array, stamp); every outcome is noted, and can be waited for."""

    def __init__(self):
        self.results = []
        self.errors = []
        self.on_publish = lambda: None
        self._changed = threading.Condition()

    def decode(self, source):
        if isinstance(source, Exception):
            raise source
        return source

    def wants_tokens(self):
        return False

    def on_result(self, source, frame, result, started):
        with self._changed:
            self.results.append(result)
            self._changed.notify_all()
        self.on_publish()

    def on_failure(self, subject, error):
        with self._changed:
            self.errors.append((subject, error))
            self._changed.notify_all()

    def wait_for(self, condition):
        with self._changed:
            assert self._changed.wait_for(condition, timeout=10), "it did not happen within 10 s"


def frame(stamp):
    return np.zeros((8, 8, 3), np.uint8), stamp


def stop_within_a_step(worker, gate):
    """Stop a worker whose tracker is held by a gate, and open that once the worker knows of it."""
    gate.wait_until_entered()
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    while not worker.stopping:
        pass
    gate.open.release()
    stopper.join(timeout=10)


class Gate:
    """Holds the tracker inside a step until it is opened."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.open = threading.Semaphore(0)

    def __call__(self):
        self.entered.release()
        assert self.open.acquire(timeout=10)

    def wait_until_entered(self):
        assert self.entered.acquire(timeout=10)
