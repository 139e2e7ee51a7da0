"""Makes the tokenizer fixtures of this folder. Needs: pip install gguf sentencepiece tokenizers.

    python make.py VOCAB_FOLDER

VOCAB_FOLDER holds llama.cpp's `models/ggml-vocab-*.gguf` with their `.inp` and `.out`, which upstream makes
with Hugging Face tokenizers. Each vocabulary becomes NAME.gguf.gz with nothing but its tokenizer keys (the
tables are whole: any token may matter), NAME.out is copied, and `cases.inp`, the same for all, is kept once.

Unigram has no such file, so a small one is trained here with SentencePiece, the reference implementation,
which also supplies the expected ids: unigram.gguf.gz, unigram.json.
"""

import gzip
import io
import json
import sys
from pathlib import Path

import gguf
import sentencepiece

HERE = Path(__file__).parent


def write(path: Path, fill) -> None:
    """Writes a GGUF without tensors, compressed so that the same tables give the same bytes."""
    plain = path.with_suffix("")
    writer = gguf.GGUFWriter(plain, "llama")
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    path.write_bytes(gzip.compress(plain.read_bytes(), 9, mtime=0))
    plain.unlink()


def strip(source: Path, target: Path) -> None:
    """Copies the tokenizer keys of one vocabulary."""
    fields = gguf.GGUFReader(source).fields

    def fill(writer) -> None:
        for key, field in fields.items():
            kept = key.startswith("tokenizer.ggml.") or key == "general.name"
            if not kept:
                continue
            kind = field.types[0]
            sub = field.types[1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), kind, sub)

    write(target, fill)


TRAINING = """
The quick brown fox jumps over the lazy dog. A lazy dog sleeps while the brown fox runs quickly away.
She sells sea shells by the sea shore; the shells that she sells are sea shells, for sure.
It was the best of times, it was the worst of times, it was the age of wisdom and of foolishness.
Größe, Straße und Übermut: schöne Wörter der deutschen Sprache. Où est la bibliothèque, s'il vous plaît?
Съешь же ещё этих мягких французских булок, да выпей чаю. Быстрая бурая лиса прыгает через ленивую собаку.
私は猫が好きです。東京は日本の首都です。我喜欢吃苹果。 1234567890 3.14159 2024-01-01 100% (a+b)*c = d/e
""".strip().splitlines()

UNIGRAM_CASES = [
    "",
    " ",
    "   ",
    "The quick brown fox",
    "  two  spaces   inside and  behind  ",
    "tabs\tand\nnewlines\r\n",
    "Straße Größe ÜBERMUT",
    "ﬁne ligatures and Ｆｕｌｌｗｉｄｔｈ, ½ and ①",
    "e\u0301 decomposed, \u00e9 composed",
    "東京 カタカナ ｶﾞ ﾊﾟ 猫",
    "한국어 has no token",
    "mixed 한 unknown 국 words",
    "emoji 🙂🚀🚀 run",
    "быстрая лиса",
    "▁visible space",
    "<s> is not </s> special <unk> here",
    "zero\u200bwidth \u00a0nbsp \u3000ideographic",
    "1234567890 3.14159",
    "a" * 50,
    "supercalifragilisticexpialidocious",
]


def unigram() -> None:
    """Trains a small Unigram model and records what SentencePiece makes of the cases."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING * 5),
        model_writer=model,
        model_type="unigram",
        vocab_size=165,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    from sentencepiece import sentencepiece_model_pb2 as proto

    spec = proto.ModelProto.FromString(model.getvalue()).normalizer_spec
    ids = range(processor.vocab_size())

    def token_type(i: int) -> int:
        if processor.is_unknown(i):
            return gguf.TokenType.UNKNOWN
        return gguf.TokenType.CONTROL if processor.is_control(i) else gguf.TokenType.NORMAL

    def fill(writer) -> None:
        writer.add_tokenizer_model("t5")
        writer.add_tokenizer_pre("default")
        writer.add_token_list([processor.id_to_piece(i) for i in ids])
        writer.add_token_scores([processor.get_score(i) for i in ids])
        writer.add_token_types([token_type(i) for i in ids])
        writer.add_add_space_prefix(spec.add_dummy_prefix)
        writer.add_remove_extra_whitespaces(spec.remove_extra_whitespaces)
        writer.add_precompiled_charsmap(spec.precompiled_charsmap)
        writer.add_eos_token_id(processor.eos_id())
        writer.add_unk_token_id(processor.unk_id())
        writer.add_pad_token_id(processor.pad_id())
        writer.add_add_bos_token(False)
        writer.add_add_eos_token(True)

    write(HERE / "unigram.gguf.gz", fill)
    cases = [{"text": text, "ids": processor.encode(text)} for text in UNIGRAM_CASES]
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    (HERE / "unigram.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main() -> None:
    """Remakes everything."""
    folder = Path(sys.argv[1])
    for source in sorted(folder.glob("ggml-vocab-*.gguf")):
        name = source.stem.removeprefix("ggml-vocab-")
        strip(source, HERE / f"{name}.gguf.gz")
        (HERE / f"{name}.out").write_bytes(Path(f"{source}.out").read_bytes())
        (HERE / "cases.inp").write_bytes(Path(f"{source}.inp").read_bytes())
    unigram()


if __name__ == "__main__":
    main()
