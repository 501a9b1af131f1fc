"""Turn a GGUF file of a Llama-like decoder into an ordinary model folder, whose members can be fine-tuned and merged.

    pip install gguf
    python examples/from_gguf.py SmolLM2-135M-Instruct.Q4_1.gguf smollm2-135m

transformers reads the file and undoes its quantisation; what it makes remembers where it came from and cannot be saved
as it is, so its weights are put into a fresh model of the same configuration. Weights that were quantised stay rounded
as they were.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch


def main() -> None:
    """Read, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="the GGUF file")
    parser.add_argument("out", type=Path, help="the folder to write")
    told = parser.parse_args()
    if not told.file.is_file():
        raise SystemExit(f"{told.file} is no file; name a GGUF file")
    if told.out.exists() and any(told.out.iterdir()):
        raise SystemExit(f"{told.out} is not empty; name another folder")

    from transformers import AutoModelForCausalLM, AutoTokenizer

    place, name = told.file.parent, told.file.name
    try:
        read = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=name)
    except (ImportError, OSError, ValueError) as error:  # no package gguf, no such architecture, another kind of file
        raise SystemExit(f"{told.file} cannot be read ({' '.join(str(error).split())})") from None
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    fresh = type(read)(config)
    fresh.load_state_dict(read.state_dict())
    fresh.save_pretrained(told.out)
    tokenizer.save_pretrained(told.out)
    print(f"{told.out}: {sum(p.numel() for p in fresh.parameters()):,} parameters")


if __name__ == "__main__":
    main()
