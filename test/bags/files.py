"""What is in files."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from fastsam2_ros.batch import marker


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder by its path in there, but for the marker, which names the source's place."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != marker.FINISHED]
    return {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in files}
