"""Turns a Hugging Face folder into a GGUF with llama.cpp's own converter, which comes inside a package's sources."""
import hashlib
import importlib
import json
import logging
import os
import pathlib
import subprocess
import sys
import tarfile

PACKAGE, VERSION = "llama-cpp-python", "0.3.36"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"


def sources():
    """The folder of llama.cpp's sources; fetched once."""
    cache = pathlib.Path(os.environ.get("INGLE_GOLDEN_CACHE", pathlib.Path.home() / ".cache" / "ingle-golden"))
    root = cache / f"llama_cpp_python-{VERSION}" / "vendor" / "llama.cpp"
    if root.exists():
        return root
    cache.mkdir(parents=True, exist_ok=True)
    what = ["--no-deps", "--no-binary", PACKAGE, f"{PACKAGE}=={VERSION}"]
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "-d", cache, *what], check=True)
    archive = next(cache.glob("*.tar.gz"))
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{archive} is not the pinned version")
    with tarfile.open(archive) as tar:
        wanted = ("/vendor/llama.cpp/conversion/", "/vendor/llama.cpp/gguf-py/")
        tar.extractall(cache, [m for m in tar.getmembers() if any(part in m.name for part in wanted)], filter="data")
    return root


# The converter wants the `gguf` that it comes with.
sys.path[:0] = [str(sources()), str(sources() / "gguf-py")]


def convert(folder, path):
    """Writes the model in `folder` to `path`, matrices in F16, without a vocabulary."""
    conversion = importlib.import_module("conversion")
    base = importlib.import_module("conversion.base")
    logging.disable(logging.INFO)
    hparams = base.ModelBase.load_hparams(folder, False)
    # The package forgets keys that it has other names for by now.
    hparams |= json.loads((folder / "config.json").read_text())
    architecture = base.get_model_architecture(hparams, base.ModelType.TEXT)
    model_class = conversion.get_model_class(architecture)
    # Tests of architectures need no vocabulary.
    parts = {"set_vocab": lambda self: None, "model_arch": model_class.model_arch, "no_mtp": True}
    if model_class.__name__ == "BaichuanModel":
        # This version calls itself for ever where it means its parent.
        parts["modify_tensors"] = lambda self, tensor, name, layer: (
            model_class if "W_pack" in name else base.TextModel).modify_tensors(self, tensor, name, layer)
    quiet = type(model_class.__name__, (model_class,), parts)
    import gguf
    import torch
    # Gemma's wants to know how many tokens there are.
    words = folder / "tokenizer.json"
    vocab = {str(i): i for i in range(hparams.get("text_config", hparams)["vocab_size"])}
    words.write_text(json.dumps({"model": {"type": "BPE", "vocab": vocab, "merges": []}, "added_tokens": []}))
    with torch.inference_mode():
        model = quiet(folder, gguf.LlamaFileType.MOSTLY_F16, path, eager=True, model_name="golden", hparams=hparams)
        if hasattr(model, "impl"):
            model.impl.set_vocab = lambda: None
        model.write()
    words.unlink()
