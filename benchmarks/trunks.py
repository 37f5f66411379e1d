"""What a trunk saves: models of the transformers library ingested by theirs, and by TransformerLens' passes.

    python -m benchmarks.trunks [--kind gpt2] [--neurons 48] [--tokens 100000]
    python -m benchmarks.trunks --model MODEL --corpus CORPUS --layers 2 [--neurons 24] [--tokens 20000]

Without --model: random weights, four layers of width 256, the demo model's tokenizer and corpus. Prints the
seconds of scan and random text, of learning the units (wall, and all cores' together), and how many units
have the same patterns either way.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import transformers
import typer

from benchmarks.precision import patterns_of
from benchmarks.throughput import Stopwatch
from n2gdb.ingest.config import N2GConfig, Selection
from n2gdb.ingest.models.native import demo_directory
from n2gdb.ingest.models.subject import SubjectModel, default_corpus, load_model
from n2gdb.ingest.pipeline import Source, ingest
from n2gdb.storage.graph_rows import graphs_from

SIZES: dict[str, Any] = {
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "vocab_size": 4096,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
KINDS: dict[str, Any] = {
    "gpt2": transformers.GPT2Config(
        n_embd=256, n_layer=4, n_head=4, n_positions=256, vocab_size=4096, bos_token_id=0, eos_token_id=0
    ),
    "neox": transformers.GPTNeoXConfig(**SIZES, intermediate_size=1024),
    "llama": transformers.LlamaConfig(**SIZES, intermediate_size=688, num_key_value_heads=2),
    "qwen3": transformers.Qwen3Config(**SIZES, intermediate_size=688, num_key_value_heads=2, head_dim=64),
    "phi3": transformers.Phi3Config(**SIZES, intermediate_size=688, num_key_value_heads=2, pad_token_id=None),
    "gemma2": transformers.Gemma2Config(
        **SIZES, intermediate_size=688, num_key_value_heads=2, head_dim=64, sliding_window=128
    ),
    "gemma3": transformers.Gemma3TextConfig(
        **SIZES, intermediate_size=688, num_key_value_heads=2, head_dim=64, sliding_window=128
    ),
}


def main(
    kind: Annotated[str, typer.Option(help="One of KINDS; all by default.")] = "",
    model: Annotated[str, typer.Option(help="A directory or GGUF file in their place.")] = "",
    corpus: str = "demo",
    layers: Annotated[str, typer.Option(help="Such as 2,10; all by default.")] = "",
    neurons: Annotated[int, typer.Option(help="Of each layer.")] = 48,
    tokens: int = 100_000,
    device: str = "cpu",
) -> None:
    chosen = Selection(
        layers=tuple(map(int, layers.split(","))) if layers else None, neurons=tuple(range(neurons))
    )
    source, config = Source(default_corpus(corpus) if corpus == "demo" else corpus), N2GConfig(tokens=tokens)
    print("model   passes           scan, random text  units: wall       CPU  a unit: wall        CPU")
    with tempfile.TemporaryDirectory() as folder:
        if model:
            compare(load_model(model, device), source, config, chosen)
            return
        for name in [kind] if kind else KINDS:
            write_model(Path(folder) / name, KINDS[name])
            compare(load_model(Path(folder) / name, device), source, config, chosen)


def compare(model: SubjectModel, corpus: Source, config: N2GConfig, chosen: Selection) -> None:
    """Ingest the units both ways, and print what each takes."""
    if model.trunk is None:
        raise typer.BadParameter(f"{model.name} has no trunk: only TransformerLens' passes can run it")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for way, subject in (("trunk", model), ("TransformerLens", replace(model, trunk=None))):
            watch = Stopwatch(begun=time.time())
            run = ingest(subject, corpus, Path(folder) / f"{way}.n2gdb", config, chosen, watch)
            found[way] = graphs_from(run.nodes())
            units = run.neurons().num_rows
            reading = watch.seconds["scan"] + watch.seconds["random text"]
            wall, cpu = (seconds["neurons"] for seconds in (watch.seconds, watch.cpu))
            print(
                f"{model.name:<7} {way:<16} {reading:>15.1f} s {wall:>7.1f} s {cpu:>7.1f} s "
                f"{wall / units:>8.3f} s {cpu / units:>8.3f} s",
                flush=True,
            )
    one, other = found.values()
    names = one.keys() | other.keys()
    same = sum(patterns_of(one, each) == patterns_of(other, each) for each in names)
    print(f"{model.name:<7} {same} of {len(names)} units have the same patterns either way")


def write_model(folder: Path, config: Any) -> None:
    """Write a model with random weights, not too small to do anything."""
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    shutil.copy(demo_directory() / "tokenizer.json", folder)
    end = {
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(end))


if __name__ == "__main__":
    typer.run(main)
