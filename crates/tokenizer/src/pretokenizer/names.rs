//! Which splitting rules each `tokenizer.ggml.pre` name means: the whole table.
//!
//! Names and rules are facts of the GGUF ecosystem (llama.cpp `src/llama-vocab.cpp`, as of late 2026, and
//! the `tokenizer.json` of each model). Where llama.cpp approximates a model's own expression because
//! its regex engine lacks a feature, the model's own stands here; on the text that models see both agree.

use super::Split::{self, Digits, Regex};

/// Splitting rules and defaults of one family.
#[derive(Debug)]
pub(crate) struct Family {
    /// Values of `tokenizer.ggml.pre` that mean this family.
    pub(crate) names: &'static [&'static str],
    /// Applied one after the other, each to the pieces the one before left.
    pub(crate) splits: &'static [Split],
    /// How the family departs from plain byte-level BPE.
    pub(crate) traits: Traits,
}

/// How a family departs from plain byte-level BPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traits {
    /// A piece that is a token is taken whole, whatever the merge rules would make of it.
    pub(crate) ignore_merges: bool,
    /// BOS goes before the text unless the file says otherwise.
    pub(crate) add_bos: bool,
    /// Tokens are written as text and bytes as `<0x0A>`, not in the byte alphabet.
    pub(crate) plain_text: bool,
    /// Plain text has `▁` for a space, and newlines are tokens without merge rules.
    pub(crate) spm_style: bool,
    /// Plain text: a character without a token becomes tokens of its bytes.
    pub(crate) byte_fallback: bool,
    /// Plain text: neighbouring characters without tokens become one unknown token.
    pub(crate) fuse_unk: bool,
}

const PLAIN: Traits = Traits {
    ignore_merges: false,
    add_bos: false,
    plain_text: false,
    spm_style: false,
    byte_fallback: true,
    fuse_unk: false,
};
const WHOLE_WORDS: Traits = Traits {
    ignore_merges: true,
    ..PLAIN
};
const WHOLE_WORDS_BOS: Traits = Traits {
    add_bos: true,
    ..WHOLE_WORDS
};
const SPM_STYLE: Traits = Traits {
    plain_text: true,
    spm_style: true,
    ..PLAIN
};
const SPM_STYLE_BOS: Traits = Traits {
    add_bos: true,
    ..SPM_STYLE
};

/// English contractions as capital-blind suffixes.
macro_rules! contractions {
    () => {
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    };
}

/// The tail all families since GPT-4 share: line ends with the space before them, then other spaces.
macro_rules! spaces {
    () => {
        r"\s*[\r\n]+|\s+(?!\S)|\s+"
    };
}

/// Words that change from upper to lower case at most once (o200k), with what may follow a word.
macro_rules! cased_words {
    ($after:expr) => {
        concat!(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
            $after,
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
            $after
        )
    };
}

/// The last rule of DeepSeek-V3 and its relatives, up to its spaces.
macro_rules! deepseek_words {
    () => {
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##
    };
}

const GPT2: Split =
    Regex(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+");
const LLAMA3: Split = Regex(concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|",
    spaces!()
));
const QWEN2: Split = Regex(concat!(
    contractions!(),
    r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|",
    spaces!()
));
const GPT4O: Split = Regex(concat!(
    cased_words!(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"),
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|",
    spaces!()
));
const DEEPSEEK3: Split = Regex(concat!(
    deepseek_words!(),
    r"| ?[\p{P}\p{S}]+[\r\n]*|",
    spaces!()
));
const NUMBER: Split = Regex(r"\p{N}");
const NUMBERS_OF_3: Split = Regex(r"\p{N}{1,3}");
const CJK: Split = Regex("[一-龥぀-ゟ゠-ヿ]+");
const LINES: Split = Regex(r"[^\n]+|\n+");
const BLOOM: Split = Regex(r" ?[^(\s|.,!?…。，、।۔،)]+");

/// Letters of scripts with two cases, as DeepSeek-LLM lists them. By code point, because some of them are
/// not normalised and would not survive every editor.
const DEEPSEEK_CASED: Split = Regex(concat!(
    r"\s?[A-Za-z",
    r"\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF}",
    r"\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}",
    r"\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}",
    r"\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}",
    r"\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}",
    r"\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}",
    r"\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}",
    r"\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}",
    r"\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}",
    r"\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}",
    r"\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}",
    r"\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}",
    r"\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}",
    r"\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}",
    r"\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}",
    r"]+"
));

/// Every family, oldest first.
pub(crate) const FAMILIES: &[Family] = &[
    Family {
        names: &["default"],
        splits: &[
            Regex(r"[\p{P}$+<=>^~|]+"),
            GPT2,
            Regex(r"\p{N}+"),
            Regex("[0-9][0-9][0-9]"),
        ],
        traits: PLAIN,
    },
    Family {
        names: &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "jina-es",
            "jina-de",
            "jina-v1-en",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v2-code",
            "roberta-bpe",
        ],
        splits: &[GPT2],
        traits: PLAIN,
    },
    Family {
        names: &[
            "starcoder",
            "refact",
            "command-r",
            "smollm",
            "codeshell",
            "exaone",
            "minerva-7b",
            "mellum2",
        ],
        splits: &[NUMBER, GPT2],
        traits: PLAIN,
    },
    Family {
        names: &["falcon"],
        splits: &[Regex(r"[\p{P}$+<=>^~|`]+"), GPT2, Regex("[0-9][0-9][0-9]")],
        traits: PLAIN,
    },
    Family {
        names: &["bloom", "gpt3-finnish", "poro-chat"],
        splits: &[BLOOM],
        traits: PLAIN,
    },
    Family {
        names: &["viking"],
        splits: &[BLOOM, NUMBER],
        traits: PLAIN,
    },
    Family {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        splits: &[LLAMA3],
        traits: WHOLE_WORDS_BOS,
    },
    Family {
        names: &["dbrx", "smaug-bpe", "chatglm-bpe"],
        splits: &[LLAMA3],
        traits: PLAIN,
    },
    Family {
        names: &["glm4", "glm5"],
        splits: &[LLAMA3],
        traits: WHOLE_WORDS,
    },
    Family {
        names: &["jais-2"],
        splits: &[Split::RegexJais2(concat!(
            contractions!(),
            r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|",
            r"\s*[\r\n]+|\s+(?!\S)|\s+"
        ))],
        traits: PLAIN,
    },
    Family {
        names: &[
            "qwen2",
            "stablelm2",
            "deepseek-r1-qwen",
            "kormo",
            "f2llmv2",
            "megrez",
            "hunyuan",
            "solar-open",
            "grok-2",
        ],
        splits: &[QWEN2],
        traits: PLAIN,
    },
    Family {
        names: &["laguna"],
        splits: &[LINES, QWEN2],
        traits: PLAIN,
    },
    Family {
        names: &["qwen35"],
        splits: &[Regex(concat!(
            contractions!(),
            r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|",
            spaces!()
        ))],
        traits: PLAIN,
    },
    Family {
        names: &["ufakzeka"],
        splits: &[Regex(concat!(
            r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|",
            spaces!()
        ))],
        traits: PLAIN,
    },
    Family {
        names: &["minicpm5"],
        splits: &[
            NUMBERS_OF_3,
            Regex(concat!(
                contractions!(),
                r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|",
                spaces!()
            )),
        ],
        traits: WHOLE_WORDS,
    },
    Family {
        names: &["bailingmoe", "bailingmoe2", "llada-moe"],
        splits: &[Regex(concat!(
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|",
            r"\s*[\r\n]|\s+(?!\S)|\s+"
        ))],
        traits: PLAIN,
    },
    Family {
        names: &["seed-coder"],
        splits: &[Regex(concat!(
            contractions!(),
            r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|",
            spaces!()
        ))],
        traits: PLAIN,
    },
    Family {
        names: &["exaone-moe"],
        splits: &[Regex(concat!(
            contractions!(),
            r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}",
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
        ))],
        traits: PLAIN,
    },
    Family {
        names: &["deepseek-llm"],
        splits: &[
            Regex(r"[\r\n]"),
            DEEPSEEK_CASED,
            Regex(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"),
            Regex(r"\s+$"),
            Regex("[一-龥ࠀ-一가-퟿]+"),
            Regex(r"\p{N}+"),
        ],
        traits: PLAIN,
    },
    Family {
        names: &["deepseek-coder"],
        splits: &[
            Regex(r"[\r\n]"),
            Regex(r"\s?\p{L}+"),
            Regex(r"\s?\p{P}+"),
            Regex("[一-龥ࠀ-一가-퟿]+"),
            NUMBER,
        ],
        traits: PLAIN,
    },
    Family {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        splits: &[NUMBERS_OF_3, CJK, DEEPSEEK3],
        traits: PLAIN,
    },
    Family {
        names: &["spark2_5"],
        splits: &[
            NUMBERS_OF_3,
            CJK,
            Regex(concat!(
                deepseek_words!(),
                r"| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"
            )),
            NUMBER,
        ],
        traits: PLAIN,
    },
    Family {
        names: &["afmoe"],
        splits: &[
            Digits(super::digits::Rule::Numbers),
            Regex(r"[一-鿿㐀-䶿\x{F900}-\x{FAFF}぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+"),
            DEEPSEEK3,
        ],
        traits: PLAIN,
    },
    Family {
        names: &["youtu"],
        splits: &[
            Regex("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+"),
            Regex(concat!(
                cased_words!(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"),
                r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|",
                spaces!()
            )),
        ],
        traits: WHOLE_WORDS,
    },
    Family {
        names: &["tekken"],
        splits: &[Regex(concat!(
            cased_words!(""),
            r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|",
            spaces!()
        ))],
        traits: WHOLE_WORDS_BOS,
    },
    Family {
        names: &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        splits: &[GPT4O],
        traits: PLAIN,
    },
    Family {
        names: &["granite-embed-multi-97m"],
        splits: &[GPT4O],
        traits: WHOLE_WORDS,
    },
    Family {
        names: &["tiny_aya", "cohere2moe"],
        splits: &[Digits(super::digits::Rule::BeforeBoundary), GPT4O],
        traits: PLAIN,
    },
    Family {
        names: &["kimi-k2"],
        splits: &[Regex(concat!(
            r"\p{Han}+",
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*",
            r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+",
            r"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|",
            spaces!()
        ))],
        traits: PLAIN,
    },
    Family {
        names: &["superbpe"],
        splits: &[
            Regex(r"\p{N}+"),
            Digits(super::digits::Rule::BoundariesOnly),
        ],
        traits: PLAIN,
    },
    Family {
        names: &["chameleon"],
        splits: &[
            Regex("<sentinel:[0-9]+>"),
            Regex("(?:IMGIMG)[A-I]{1,4}Z"),
            Regex("[\t\n]|    |  "),
            NUMBER,
            Regex(r"[\p{P}!-/:-@\[-`{-~]"),
            GPT2,
        ],
        traits: Traits {
            add_bos: true,
            ..PLAIN
        },
    },
    Family {
        names: &["gemma4", "granite-embed-multi-311m"],
        splits: &[LINES],
        traits: SPM_STYLE_BOS,
    },
    Family {
        names: &["sarvam-moe"],
        splits: &[LINES],
        traits: SPM_STYLE,
    },
];
