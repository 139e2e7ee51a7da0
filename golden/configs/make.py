"""Writes defaults.json: the config that the pinned `transformers` gives each architecture that folders may have.

    pip install transformers==5.23.0 torch==2.15.0
    python make.py

All keys of a config's class with their defaults, as `config.json` would have them: what official configs hold, and more. Keys of the
library itself that every class has (how to generate, labels, …) are in each of them, so that they are tested once for all.
"""

import json
import re
from pathlib import Path

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

HERE = Path(__file__).parent
ARCH = HERE.parent.parent / "crates/model/src/arch"


def kinds_of(name, classes):
    return [kind for kind, own in classes.items() if name == own or isinstance(own, (list, tuple)) and name in own]


def main():
    names = set()
    for file in ARCH.glob("*.rs"):
        names |= set(re.findall(r'(?:HuggingFace::new\(|within\(|architecture: )"(\w+)"', file.read_text()))
    found, lacking = {}, []
    for name in sorted(names):
        kinds = kinds_of(name, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
        sees = not kinds
        kinds = kinds or kinds_of(name, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
        if not kinds:
            lacking.append(name)
            continue
        config = CONFIG_MAPPING[kinds[0]]()
        config = getattr(config, "text_config", config)
        config = json.loads(config.to_json_string(use_diff=False))
        found[name] = (dict(text_config=config) if sees else config) | dict(architectures=[name])
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(config, sort_keys=True)}" for name, config in found.items())
    (HERE / "defaults.json").write_text("{\n" + lines + "\n}\n")
    print(f"{len(found)} configs of transformers {transformers.__version__}; it lacks {', '.join(lacking)}")


main()
