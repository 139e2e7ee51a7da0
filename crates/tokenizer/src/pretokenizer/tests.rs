//! Splits against `fancy-regex`, which has the lookaheads, on texts that touch every rule.

use super::*;

/// A small deterministic generator (xorshift64*): the same texts on every run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// Characters on both sides of every class the rules distinguish, and fragments they name.
const PARTS: &[&str] = &[
    "a",
    "b",
    "Z",
    "É",
    "é",
    "ǅ",
    "ʰ",
    "я",
    "Я",
    "日",
    "本",
    "か",
    "カ",
    "한",
    "ㄱ",
    "ㄅ",
    "ก",
    "अ",
    "\u{301}",
    "\u{93e}",
    "1",
    "2",
    "3",
    "٣",
    "½",
    "²",
    " ",
    " ",
    " ",
    "  ",
    "\u{a0}",
    "\u{3000}",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "'",
    "'s",
    "'S",
    "'re",
    "'LL",
    "ſ",
    ".",
    ",",
    "!",
    "/",
    "(",
    "|",
    "$",
    "+",
    "~",
    "^",
    "`",
    "_",
    "-",
    "<",
    "。",
    "、",
    "…",
    "“",
    "€",
    "😀",
    "\u{200d}",
    "\u{0}",
    "",
    "IMGIMGABZ",
    "<sentinel:12>",
    "the",
    "The",
    "ABC",
    "123",
    "4567",
    "    ",
];

fn random_text(rng: &mut Rng) -> String {
    (0..rng.below(24))
        .map(|_| PARTS[rng.below(PARTS.len())])
        .collect()
}

/// The expression that a rule stands for, as its model states it.
fn original(split: &Split) -> String {
    match *split {
        Split::Regex(pattern) => pattern.to_owned(),
        Split::RegexJais2(pattern) => pattern.replace(
            r"\s+(?!\S)|\s+",
            r"\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}",
        ),
        Split::Digits(digits::Rule::Numbers) => r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))".to_owned(),
        Split::Digits(digits::Rule::BeforeBoundary) => r"\d{1,3}(?=(?:\d{3})*\b)".to_owned(),
        Split::Digits(digits::Rule::BoundariesOnly) => r"(?=(\d{3})+(?!\d))".to_owned(),
    }
}

/// Matches and gaps of one expression in each piece.
fn split_by_fancy_regex<'t>(regex: &fancy_regex::Regex, pieces: Vec<&'t str>) -> Vec<&'t str> {
    let mut out = Vec::new();
    for piece in pieces {
        let mut start = 0;
        for found in regex.find_iter(piece) {
            let found = found.unwrap();
            out.push(&piece[start..found.start()]);
            out.push(found.as_str());
            start = found.end();
        }
        out.push(&piece[start..]);
    }
    out.retain(|piece| !piece.is_empty());
    out
}

fn pieces(pre: &PreTokenizer, text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    pre.split(text, true, |piece| pieces.push(piece.to_owned()));
    pieces
}

#[test]
fn every_family_splits_as_its_expressions_say() {
    let mut rng = Rng(1);
    for family in names::FAMILIES {
        let pre = PreTokenizer::new(family.names[0]).unwrap();
        let regexes: Vec<_> = family
            .splits
            .iter()
            .map(|split| fancy_regex::Regex::new(&original(split)).unwrap())
            .collect();
        for _ in 0..100 {
            let text = random_text(&mut rng);
            let expected = regexes.iter().fold(vec![text.as_str()], |pieces, regex| {
                split_by_fancy_regex(regex, pieces)
            });
            assert_eq!(
                pieces(&pre, &text),
                expected,
                "{}: {text:?}",
                family.names[0]
            );
        }
    }
}

#[test]
fn long_runs_of_spaces_split_alike_too() {
    let split = &names::FAMILIES
        .iter()
        .find(|family| family.names == ["jais-2"])
        .unwrap()
        .splits[0];
    let regex = fancy_regex::Regex::new(&original(split)).unwrap();
    let pre = PreTokenizer::new("jais-2").unwrap();
    for n in (0..70).chain([127, 128, 129, 511, 512, 513, 514, 1100]) {
        for end in ["", "x", "\nx", "!"] {
            let text = format!("a{}{end}", " ".repeat(n));
            assert_eq!(
                pieces(&pre, &text),
                split_by_fancy_regex(&regex, vec![&text]),
                "{n} {end:?}"
            );
        }
    }
}

#[test]
fn names_are_unique() {
    let mut names = pre_tokenizer_names();
    names.dedup();
    assert_eq!(
        names.len(),
        names::FAMILIES
            .iter()
            .map(|family| family.names.len())
            .sum::<usize>()
    );
}

#[test]
fn an_unknown_name_gets_the_nearest_or_the_list() {
    let hint = |name| match PreTokenizer::new(name) {
        Err(Error::PreTokenizer { hint, .. }) => hint,
        other => panic!("{other:?}"),
    };
    assert_eq!(hint("llama_bpe"), "did you mean `llama-bpe`?");
    assert!(hint("something-else").contains("gpt-2"));
}

/// Every byte is searched a bounded number of times: no rule's matches overlap or look far ahead in vain.
#[test]
fn pieces_cover_long_runs_of_one_character() {
    for family in names::FAMILIES {
        let pre = PreTokenizer::new(family.names[0]).unwrap();
        for c in ["a", "A", " ", "\n", "7", "!", "日", "あ", "\u{301}", "😀"] {
            let text = c.repeat(4_000);
            let total: usize = pieces(&pre, &text).iter().map(|piece| piece.len()).sum();
            assert_eq!(total, text.len(), "{}: {c:?}", family.names[0]);
        }
    }
}
