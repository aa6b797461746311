"""What a measurement was made on, for the records that stand beside it."""

import platform
from pathlib import Path


def machine() -> str:
    """The device that sentence-transformers puts models on, in words.

    Returns:
        The name of the GPU, or of the processor with the number of threads that torch uses.
    """
    import torch
    from sentence_transformers.util import get_device_name

    device = torch.device(get_device_name())
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"{processor()}, {threads} thread{'s' if threads > 1 else ''}"
    return device.type


def processor() -> str:
    """The processor's name, as the system reports it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
