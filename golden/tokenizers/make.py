"""Makes the ids of this folder. Needs: pip install transformers sentencepiece mistral-common tiktoken rwkv.

    python make.py FOLDER [NAME...]

FOLDER holds a folder for each tokenizer, as `cargo xtask fetch tokenizers` brings them, or is `small`. For each (or
those named), NAME.json gets what `transformers` makes of the texts below, with and without special tokens, and of
decoding the ids again, unless the file has no decoder, or WordPiece's, which is for reading.
The class is PreTrainedTokenizerFast, which takes `tokenizer.json` as it is; some classes that AutoTokenizer picks
build stages of their own in place of the file's, and this prints for how many texts their ids differ.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import sentencepiece
import transformers

HERE = Path(__file__).parent
SEPARATOR = "\n__ggml_vocab_test__\n"


def texts() -> list[str]:
    """llama.cpp's cases, then text with what tokenizers stumble over."""
    cases = (HERE.parent / "vocab/cases.inp").read_text(encoding="utf-8").split(SEPARATOR)
    return [case for case in cases if case] + [
        "",
        " ",
        "Hello",
        " Hello",
        "  Hello  World  ",
        "\n\n\nfn main() {\n    println!(\"{}\", 1_000_000);\n}\n\n",
        "e\u0301 \ufb01 \u212b \uff21\uff22 \u1e9b\u0323",
        "1234567890 3.14159 1,000,000 \u0661\u0662\u0663 \u00bd\u00b2",
        "don't DON'T we'LL I'm they've it'S",
        "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002 \u3053\u3093\u306b\u3061\u306f\u3001\u4e16\u754c\uff01 \uc548\ub155\ud558\uc138\uc694",
        "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e9\U0001f1ea \U0001f680\U0001f680",
        "tab\tand\u00a0nbsp\u3000ideographic \u2003 em \r\n windows\r\n",
        "a" * 200 + " " * 50 + "b",
        "\u2581already\u2581there \u2581",
        "\x00\x01\x7f\ufffd\ue000",
        "https://example.org/a/b?c=d&e=%20f#g  user@example.org",
        "SELECT * FROM t WHERE a<>'b' AND c!=\"d\";-- \u2026\u2014\u201cquoted\u201d",
    ]


def special_texts(tokenizer) -> list[str]:
    """A few added tokens in all surroundings."""
    names = [str(token) for token in tokenizer.added_tokens_decoder.values() if "unused" not in str(token)]
    picked = names[:2] + names[-2:]
    return [
        text
        for name in picked
        for text in (f"a{name}b", f"a {name} b", f"{name}", f"{name}{name} x", f"\n{name}\n")
    ]


def sentencepiece_cases(folder: Path) -> None:
    """Ids of SentencePiece itself, which knows no special tokens in text."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    cases = [{"text": text, "ids": model.encode(text)} for text in texts()]
    write(folder.name, f"sentencepiece {sentencepiece.__version__}", model.vocab_size(), cases)


def tekken_cases(folder: Path) -> None:
    """Ids of mistral-common, which knows no special tokens in text either."""
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    model = Tekkenizer.from_file(folder / "tekken.json")
    cases = [{"text": text, "ids": model.encode(text, bos=False, eos=False)} for text in texts()]
    write(folder.name, f"mistral-common {importlib.metadata.version('mistral-common')}", model.n_words, cases)


def rwkv_cases(folder: Path) -> None:
    """Ids of the package `rwkv`."""
    from rwkv.rwkv_tokenizer import TRIE_TOKENIZER

    model = TRIE_TOKENIZER(str(folder / "rwkv_vocab_v20230424.txt"))
    cases = [{"text": text, "ids": model.encode(text)} for text in texts()]
    write(folder.name, f"rwkv {importlib.metadata.version('rwkv')}", max(model.idx2token) + 1, cases)


def write(name: str, made_with: str, size: int, cases: list) -> None:
    lines = ",\n".join(json.dumps(case) for case in cases)
    head = json.dumps({"made_with": made_with, "size": size})
    (HERE / f"{name}.json").write_text(f'{head[:-1]}, "cases": [\n{lines}\n]}}\n')


def main() -> None:
    for folder in sorted(Path(sys.argv[1]).iterdir()):
        if sys.argv[2:] and folder.name not in sys.argv[2:]:
            continue
        if (folder / "tokenizer.model").exists():
            sentencepiece_cases(folder)
            continue
        if (folder / "tekken.json").exists():
            tekken_cases(folder)
            continue
        if (folder / "rwkv_vocab_v20230424.txt").exists():
            rwkv_cases(folder)
            continue
        tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
        try:
            auto = transformers.AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError, KeyError):  # nothing says which class
            auto = tokenizer
        file = json.loads((folder / "tokenizer.json").read_text())
        is_text = file["decoder"] is not None and file["model"].get("type") != "WordPiece"
        differing = []
        cases = []
        for text in texts() + special_texts(tokenizer):
            plain = tokenizer.encode(text, add_special_tokens=False)
            with_special = tokenizer.encode(text, add_special_tokens=True)
            if auto.encode(text, add_special_tokens=False) != plain:
                differing.append(text)
            decoded = tokenizer.decode(plain, skip_special_tokens=False, clean_up_tokenization_spaces=False)
            before = next(i for i in range(len(with_special) + 1) if with_special[i : i + len(plain)] == plain)
            case = {"text": text, "ids": plain}
            if not is_text:
                case["decoded"] = None
            elif decoded != text:
                case["decoded"] = decoded
            case["around"] = [with_special[:before], with_special[before + len(plain) :]]
            cases.append(case)
        size = max(tokenizer.get_vocab().values()) + 1
        write(folder.name, f"transformers {transformers.__version__}", size, cases)
        around = cases[-1]["around"]
        print(folder.name, around, type(auto).__name__, len(differing), "differ:", differing)


main()
