"""Trains the tokenizers in small/. Needs: pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf

    python small.py

No package that we know of carries tokenizers with BERT's stages or with SentencePiece's table of replacements, and
is small. So these are trained here, with the stages of the model each is named after:

    bert       BertNormalizer, BertPreTokenizer, WordPiece          (transformers, `BertConverter`)
    xlm_r      Precompiled, runs of spaces, Metaspace, Unigram      (`XLMRobertaConverter`)
    t5         Nmt, Precompiled, WhitespaceSplit, Metaspace, Unigram with the tokens of bytes   (`T5Converter`)
    bert_cased BertNormalizer that changes little, a short longest word, WordPiece
"""

import base64
import json
import pathlib
import tempfile

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
# Text of this project: code, English, and in the test cases many scripts.
SOURCES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "golden/vocab/cases.inp"]
# What is replaced: of Unicode's compatibility forms a few of each sort, with keys that begin like others.
REPLACED = {
    "\ufb01": "fi", "\u212b": "\u00c5", "e\u0301": "\u00e9", "\u1e9b\u0323": "\u1e69", "\u00b2": "2", "\u00bd": "1\u20442",
    "\u2026": "...", "\u3000": " ", "\u00a0": " ", "\u2003": " ", "\t": " ", "\n": " ", "\r": " ", "\u200d": " ",
    "\x7f": "", "\u0301": "", "\ufdfa": "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647",
} | {chr(c): chr(c - 0xfee0) for c in range(0xff01, 0xff5f)}


def charsmap(folder):
    """The table that SentencePiece makes of REPLACED."""
    codes = lambda text: " ".join(f"{ord(c):X}" for c in text)
    rules = "\n".join(f"{codes(a)}\t{codes(b)}" for a, b in sorted(REPLACED.items()))
    (folder / "rules.tsv").write_text(rules + "\n")
    (folder / "text").write_text("a b c d e\n" * 10)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "text"), model_prefix=str(folder / "m"), vocab_size=10, minloglevel=2,
        normalization_rule_tsv=str(folder / "rules.tsv"))
    proto = sentencepiece.SentencePieceProcessor(model_file=str(folder / "m.model")).serialized_model_proto()
    from sentencepiece import sentencepiece_model_pb2 as pb
    return pb.ModelProto.FromString(proto).normalizer_spec.precompiled_charsmap


def around(first, last):
    ends = [(text, number) for text, number in (first, last) if text]
    single = " ".join(filter(None, [first[0], "$A", last[0]]))
    return processors.TemplateProcessing(single=single, special_tokens=ends)


def bert(path, limit=100, **options):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=limit))
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=900, special_tokens=special, limit_alphabet=250, show_progress=False)
    tokenizer.train([str(ROOT / file) for file in SOURCES], trainer)
    tokenizer.post_processor = around(("[CLS]", 2), ("[SEP]", 3))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.save(str(path / "tokenizer.json"))
    roles = dict(cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", pad_token="[PAD]", mask_token="[MASK]")
    (path / "tokenizer_config.json").write_text(json.dumps(dict(tokenizer_class="BertTokenizer", **roles), indent=1) + "\n")


def unigram(path, stages, pre_tokenizer, byte_fallback, ends, table):
    special = ["<s>", "<pad>", "</s>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256) if byte_fallback]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=900 + len(special), special_tokens=special, unk_token="<unk>",
                                      show_progress=False, max_piece_length=12)
    tokenizer.train([str(ROOT / file) for file in SOURCES], trainer)
    whole = json.loads(tokenizer.to_str())
    # Special tokens count as the model's; those of bytes are found by nobody but the model.
    whole["added_tokens"] = [token for token in whole["added_tokens"] if not token["content"].startswith("<0x")]
    whole["model"]["byte_fallback"] = byte_fallback
    whole["model"]["unk_id"] = special.index("<unk>")
    blob = base64.b64encode(table).decode()
    stages = [dict(type="Precompiled", precompiled_charsmap=blob) if stage is None else json.loads(stage.__getstate__())
              for stage in stages]
    whole["normalizer"] = dict(type="Sequence", normalizers=stages)
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.post_processor = around(*ends)
    tokenizer.save(str(path / "tokenizer.json"))
    roles = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>", mask_token="<mask>")
    (path / "tokenizer_config.json").write_text(json.dumps(roles, indent=1) + "\n")


def main():
    with tempfile.TemporaryDirectory() as folder:
        table = charsmap(pathlib.Path(folder))
    def path(name):
        path = HERE / "small" / name
        path.mkdir(parents=True, exist_ok=True)
        return path
    bert(path("bert"), lowercase=True)
    bert(path("bert_cased"), limit=12, lowercase=False, handle_chinese_chars=False, clean_text=False)
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    unigram(path("xlm_r"), [None, spaces], pre_tokenizers.Metaspace(), False, (("<s>", 0), ("</s>", 2)), table)
    words = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    unigram(path("t5"), [normalizers.Nmt(), None, normalizers.Strip(left=False)], words, True, (("", 0), ("</s>", 2)), table)
    for file in sorted((HERE / "small").glob("*/*")):
        print(file.relative_to(HERE), file.stat().st_size)


main()
