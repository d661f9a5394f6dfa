"""What this machine's CPU can do."""

from pathlib import Path
from platform import machine

_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""In /proc/cpuinfo: of x86's two ways to multiply in bf16, and ARM's."""


def has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU computes in bf16; without that, torch takes it apart, many times slower than fp32."""
    try:
        text = cpuinfo.read_text("utf-8", "replace")
    except OSError:
        return False
    lines = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return any(name.strip() in ("flags", "Features") and not _BF16.isdisjoint(words.split()) for name, words in lines)


def openvino_has_bf16() -> bool:
    """Whether OpenVINO computes in bf16 here: it does so on x86 alone."""
    return machine() in ("x86_64", "AMD64") and has_bf16()
