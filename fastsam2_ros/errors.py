"""The errors of this package. Each message names the thing that is wrong and the way out."""


class FastSam2Error(Exception):
    """Base of every error that this package raises on purpose."""


class ModelError(FastSam2Error):
    """A model, its configuration, its weights or the device for it cannot be had."""


class InputError(FastSam2Error, ValueError):
    """A frame, box, mask, stamp or description that cannot be used."""


class BagError(FastSam2Error):
    """A bag, video or image folder that cannot be read or written."""


def first_line(error: BaseException) -> str:
    """What an error of another library says first; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
