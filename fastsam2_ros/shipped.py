"""The weights that come with this package: where they lie, whether or not they do. Imports no torch."""

from pathlib import Path

_ROOT = Path(__file__).parent

MINI_SAM2 = _ROOT / "streaming" / "mini.safetensors"
"""Of SAM 2 'mini'."""
MINI_CLIP = _ROOT / "language" / "mini_clip.safetensors"
"""Of the open_clip model 'mini', whose architecture is `mini_clip.json` beside it."""
