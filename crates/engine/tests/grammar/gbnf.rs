//! llama.cpp's grammar language.

use engine::grammar::{Grammar, GrammarError, GrammarSpec};

use crate::support::{llama, qwen};

const JSON: &str = r#"
# JSON, as llama.cpp writes it
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws

array  ::=
  "[" ws (
            value
    ("," ws value)*
  )? "]" ws

string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws

number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,1})? ws

# Optional space: by convention, applied in this grammar after literal chars when allowed
ws ::= | " " | "\n" [ \t]{0,20}
"#;

const LIST: &str = "root ::= item+\n# Excludes various line break characters\nitem ::= \"- \" [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ \"\\n\"\n";

const C: &str = r#"
root ::= (declaration)*
declaration ::= dataType identifier "(" parameter? ")" "{" statement* "}"
dataType  ::= "int" ws | "float" ws | "char" ws
identifier ::= [a-zA-Z_] [a-zA-Z_0-9]*
parameter ::= dataType identifier
statement ::=
    ( dataType identifier ws "=" ws expression ";" ) |
    ( identifier ws "=" ws expression ";" ) |
    ( "return" ws expression ";" ) |
    ( "while" "(" condition ")" "{" statement* "}" ) |
    ( "//" [^\n]* "\n" )
condition ::= expression relationOperator expression
relationOperator ::= ("<=" | "<" | "==" | "!=" | ">=" | ">")
expression ::= term (("+" | "-") term)*
term ::= factor(("*" | "/") factor)*
factor ::= identifier | number | unaryTerm | "(" expression ")"
unaryTerm ::= "-" factor
number ::= [0-9]+
ws ::= ([ \t\n]+)
"#;

fn compile(text: &str) -> Result<Grammar, GrammarError> {
    qwen().compile(GrammarSpec::Gbnf(text.to_owned()))
}

/// Whether the grammar allows `text` token by token, character by character, and may end there.
fn accepts(start: &Grammar, text: &str) -> bool {
    let whole = qwen().tokenizer.encode(text, false, false);
    let single: Vec<u32> = text
        .chars()
        .flat_map(|c| qwen().tokenizer.encode(&c.to_string(), false, false))
        .collect();
    let one = |ids: &[u32]| {
        let mut grammar = start.clone();
        ids.iter().all(|&id| grammar.commit(id).is_ok()) && grammar.is_accepting()
    };
    let (by_token, by_character) = (one(&whole), one(&single));
    assert_eq!(by_token, by_character, "{text:?}");
    by_token
}

#[test]
fn texts_are_accepted_as_llama_cpp_does() {
    let cases: [(&str, &[&str], &[&str]); 19] = [
        (
            JSON,
            &[
                "{}",
                "{\"a\": [1, -2.5e3, {\"b\":null}]}",
                "{\n  \"a\\n\": \"\\u00e9\"\n}\n",
            ],
            &["[]", "{\"a\"}", "{\"a\":01}", "{} {}", "{'a':1}"],
        ),
        (
            LIST,
            &["- a\n", "- a b\n- c\n"],
            &["", "- \n", "a\n", "- a", "- a\r\n"],
        ),
        (
            C,
            &[
                "",
                "int main(){return 0;}",
                "int f(int a){int b = a*(1+2);while(b<10){b = b+1;}//x\nreturn -b;}",
            ],
            &["int main()", "int main(){return 0}", "x"],
        ),
        ("root ::= \"a\"{3}", &["aaa"], &["aa", "aaaa"]),
        ("root ::= \"ab\"{2,}", &["abab", "ababab"], &["ab", "aba"]),
        (
            "root ::= (\"a\" | \"bc\"){1,3} \"!\"",
            &["a!", "bcabc!"],
            &["!", "aaaa!"],
        ),
        ("root ::= \"a\"{0,2}", &["", "a", "aa"], &["aaa"]),
        (
            "root ::= [a-c-]+ [\\]\\[x]?",
            &["a-b", "a]", "-x"],
            &["", "ad"],
        ),
        (
            "root ::= \"\\x41\\u00e9\\U0001F600\\\"\\\\\\t\"",
            &["A\u{e9}\u{1F600}\"\\\t"],
            &["A"],
        ),
        ("root ::= [^\\u0000-\\u007f]+", &["é日"], &["éa"]),
        ("root ::= . . .", &["a\né"], &["ab", "abcd"]),
        // Where one text begins another, and a class overlaps both: a lexer would go wrong.
        (
            "root ::= x \"c\" | \"a\" \"bd\" | [a-z] \"b\" \"e\" root | \"zz\"\nx ::= \"ab\" | \"a\" \"b\" \"b\"",
            &["abc", "abbc", "abd", "abeabd", "zz"],
            &["ab", "abe", "abb"],
        ),
        (
            "root ::= first second\nfirst ::= [a-z]*\nsecond ::= [a-f] \"1\"",
            &["a1", "zzf1"],
            &["1", "zz1"],
        ),
        (
            "root ::= a | b\na ::= \"(\" a \")\" | \"x\"\nb ::= \"(\" b \"]\" | \"x\"",
            &["x", "((x))", "((x]]"],
            &["((x)]", "(x"],
        ),
        // Loops that a lexer must not take in one go, and one that it may.
        (
            "root ::= [a-z]* \"z\" | \"(\" root \")\"",
            &["z", "azz", "(abz)", "(z)"],
            &["", "a", "(a)", "(zz"],
        ),
        (
            "root ::= ([a-z] | \"1\")* \"end\" | \"(\" root \")\"",
            &["end", "a1end", "(endend)"],
            &["e", "(en)"],
        ),
        (
            "root ::= x | y | \"(\" root \")\"\nx ::= [a-z]+ \"!\"\ny ::= \"ab\" \"?\"",
            &["ab!", "ab?", "(abc!)", "a!"],
            &["abc?", "a?"],
        ),
        (
            "root ::= \"<\" inner \">\" | \"(\" root \")\"\ninner ::= [a-z]* inner2\ninner2 ::= [x-z] [0-9] | \"-\"",
            &["<x1>", "<ax1>", "<a->", "(<zz9>)"],
            &["<a1>", "<x>", "<1>"],
        ),
        (
            "root ::= text | \"(\" root \")\"\ntext ::= \"'\" ([^'\\\\] | \"\\\\\" [^\\n])* \"'\"",
            &["''", "'ab'", "('a\\'b')", "'\\\\'"],
            &["'", "'a''", "('a\\')"],
        ),
    ];
    for (text, good, bad) in cases {
        let grammar = compile(text).unwrap_or_else(|e| panic!("{text}\n{e}"));
        for text_in in good {
            assert!(accepts(&grammar, text_in), "{text}\nrefuses {text_in:?}");
        }
        for text_out in bad {
            assert!(!accepts(&grammar, text_out), "{text}\naccepts {text_out:?}");
        }
    }
}

#[test]
fn replies_by_the_json_grammar_are_json() {
    for seed in 0..20 {
        for kit in [qwen(), llama()] {
            let mut grammar = kit
                .compile(GrammarSpec::Gbnf(JSON.to_owned()))
                .expect("it compiles");
            let (text, _) = kit.write(&mut grammar, seed, 40);
            let value: Result<serde_json::Value, _> = serde_json::from_str(&text);
            assert!(value.is_ok_and(|value| value.is_object()), "{text}");
        }
    }
}

#[test]
fn wrong_grammars_are_refused_with_their_place() {
    let cases = [
        ("", 1, 1, "root"),
        ("a ::= \"x\"", 1, 10, "root"),
        ("root ::= a", 1, 10, "unknown rule `a`"),
        ("root ::= \"a\"\nroot ::= \"b\"", 2, 1, "twice"),
        ("root ::= root \"a\" | \"b\"", 1, 1, "left-recursive"),
        (
            "root ::= a\na ::= b \"x\" | \"y\"\nb ::= c a\nc ::= \"\" | \"z\"",
            2,
            1,
            "left-recursive",
        ),
        (
            "root ::= (\"x\"* root)+ \"y\" | \"z\"",
            1,
            1,
            "left-recursive",
        ),
        ("root ::= \"a", 1, 10, "no end"),
        ("root ::= [a", 1, 10, "no end"),
        ("root ::= []", 1, 10, "empty class"),
        ("root ::= [z-a]", 1, 11, "before it begins"),
        ("root ::= (\"a\"", 1, 14, "expected `)`"),
        ("root ::= \"a\")", 1, 13, "end of the line"),
        ("root = \"a\"", 1, 6, "expected `::=`"),
        ("root ::= \"\\q\"", 1, 11, "unknown escape"),
        ("root ::= \"\\xG0\"", 1, 11, "hexadecimal"),
        ("root ::= \"\\uD800\"", 1, 11, "U+D800"),
        ("root ::= * \"a\"", 1, 10, "to repeat"),
        ("root ::= \"a\"{3,2}", 1, 13, "less than"),
        ("root ::= \"a\"{99999}", 1, 14, "up to 2000"),
        ("root ::= \"a\"{x}", 1, 14, "number"),
        ("root ::= <think>", 1, 10, "tokens by name"),
        ("root ::= \"a\" $", 1, 14, "end of the line"),
    ];
    for (text, line, column, part) in cases {
        match compile(text) {
            Err(GrammarError::Gbnf {
                line: l,
                column: c,
                why,
            }) => {
                assert_eq!((l, c), (line, column), "{text:?}: {why}");
                assert!(why.contains(part), "{text:?}: {why}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
}

#[test]
fn a_grammar_without_end_is_refused() {
    // No finite text: the rule always needs itself once more.
    for text in [
        "root ::= \"a\" root",
        "root ::= \"a\" (b | c) | \"x\"\nb ::= \"b\" c+\nc ::= \"c\" b",
    ] {
        let error = compile(text).expect_err("it never ends").to_string();
        assert!(error.contains("no end"), "{error}");
    }
    compile("root ::= \"a\" root?").expect("it may end");
}
