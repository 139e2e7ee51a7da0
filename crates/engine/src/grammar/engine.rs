//! From what the user gives to a grammar that can be followed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{InferenceCapabilities, TokEnv, TokTrie};
use llguidance::{Matcher, ParserFactory, panic_utils, regex_to_lark};
use serde_json::Value;
use tokenizer::Tokenizer;

use super::error::brief;
use super::recent::{Key, Recent};
use super::trie::Vocabulary;
use super::{Grammar, GrammarError, GrammarSpec, choice, gbnf, lark, limits, schema};

/// Made once per loaded model from its tokenizer: the token trie that all grammars share.
pub struct GrammarEngine {
    factory: ParserFactory,
    vocab_size: usize,
    recent: Recent,
}

impl GrammarEngine {
    /// Takes a copy of `tokenizer`. `vocab_size` is the number of logits.
    ///
    /// # Errors
    /// If no token ends a reply, or the vocabulary is beyond all measure.
    pub fn new(tokenizer: &Tokenizer, vocab_size: usize) -> Result<Self, GrammarError> {
        Self::shared(Arc::new(tokenizer.clone()), vocab_size)
    }

    /// As [`GrammarEngine::new`], without the copy.
    ///
    /// # Errors
    /// As for [`GrammarEngine::new`].
    pub fn shared(tokenizer: Arc<Tokenizer>, vocab_size: usize) -> Result<Self, GrammarError> {
        let made = panic_utils::catch_unwind(AssertUnwindSafe(|| {
            let vocabulary = match Vocabulary::new(tokenizer, vocab_size) {
                Ok(vocabulary) => vocabulary,
                Err(error) => return Ok(Err(error)),
            };
            let env: TokEnv = Arc::new(vocabulary);
            let can = InferenceCapabilities {
                ff_tokens: true,
                ..InferenceCapabilities::default()
            };
            let mut factory = ParserFactory::new(&env, can, &slices())?;
            factory.quiet();
            *factory.limits_mut() = limits::parser();
            Ok(Ok(factory))
        }));
        let factory = made.map_err(|e| GrammarError::Vocabulary(brief(&e.to_string())))??;
        Ok(Self {
            factory,
            vocab_size,
            recent: Recent::default(),
        })
    }

    /// A grammar at its beginning. The last few are kept compiled.
    ///
    /// # Errors
    /// If `spec` is malformed, too large, allows no text at all, or says anything that cannot be enforced.
    pub fn compile(&self, spec: &GrammarSpec) -> Result<Grammar, GrammarError> {
        let key = Key::of(spec);
        if let Some(grammar) = key.as_ref().and_then(|key| self.recent.find(key)) {
            return Ok(grammar);
        }
        let grammar = with_deep_stack(|| self.compile_here(spec))?;
        if let Some(key) = key {
            self.recent.keep(key, &grammar);
        }
        Ok(grammar)
    }

    fn compile_here(&self, spec: &GrammarSpec) -> Result<Grammar, GrammarError> {
        let lark = TopLevelGrammar::from_lark;
        let (kind, grammar) = match spec {
            GrammarSpec::JsonSchema(schema) => ("JSON schema", json(schema)?),
            GrammarSpec::JsonObject => ("JSON", json(&schema::any_object())?),
            GrammarSpec::Regex(regex) => ("regex", lark(whole(regex)?)),
            GrammarSpec::Lark(text) => (
                "Lark grammar",
                lark(lark::checked(text, &|mark| self.control(mark))?),
            ),
            GrammarSpec::Gbnf(text) => ("GBNF", lark(gbnf::to_lark(text)?)),
            GrammarSpec::Choice(texts) => ("choice", lark(choice::to_lark(texts)?)),
        };
        let invalid = |why: &str| match spec {
            GrammarSpec::JsonSchema(_) => GrammarError::Schema {
                at: "#".to_owned(),
                why: brief(why),
            },
            _ => GrammarError::Invalid {
                kind,
                why: brief(why),
            },
        };
        let parser = self
            .factory
            .create_parser(grammar)
            .map_err(|e| invalid(&e.to_string()))?;
        let mut matcher = Matcher::new(Ok(parser));
        if let Some(warning) = matcher.grammar_warnings().first() {
            return Err(invalid(warning));
        }
        let mut grammar = Grammar::new(matcher, self.vocab_size);
        // The first mask finds what only shows when the grammar is followed: no text at all, no end of fuel.
        grammar.mask().map_err(|e| match e {
            GrammarError::TooComplex(why) => invalid(&why),
            other => other,
        })?;
        Ok(grammar)
    }
}

impl GrammarEngine {
    /// The control token that is written so.
    fn control(&self, mark: &str) -> Option<u32> {
        let word = [&[TokTrie::SPECIAL_TOKEN_MARKER], mark.as_bytes()].concat();
        self.factory.tok_env().tok_trie().token_id_at_bytes(&word)
    }
}

impl std::fmt::Debug for GrammarEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrammarEngine")
            .field("vocab_size", &self.vocab_size)
            .finish_non_exhaustive()
    }
}

/// Runs `work` where recursion can be as deep as the largest grammar asks for: its rules in a row, each some
/// calls deep. Where there are no threads it runs here.
fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let mut work = Some(work);
    let mut result = None;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new()
            .name("ingle-grammar".to_owned())
            .stack_size(STACK_BYTES);
        let task = || result = work.take().map(|work| work());
        if let Ok(thread) = builder.spawn_scoped(scope, task)
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    });
    match (result, work) {
        (Some(result), _) => result,
        (None, Some(work)) => work(),
        (None, None) => unreachable!("work is gone only when its result is there"),
    }
}

/// Address space, not memory: only what is used is ever touched.
const STACK_BYTES: usize = 256 << 20;

/// Sets of tokens that most masks inside a JSON string share; they are computed once and used whole.
fn slices() -> Vec<String> {
    let inside = r#"[^"\\\x00-\x1F\x7F]"#;
    ["{1,10}", "{1,30}", "+"]
        .map(|times| format!("{inside}{times}"))
        .to_vec()
}

fn json(schema: &Value) -> Result<TopLevelGrammar, GrammarError> {
    Ok(TopLevelGrammar::from_json_schema(schema::prepared(schema)?))
}

/// A regular expression that the whole reply must match.
fn whole(regex: &str) -> Result<String, GrammarError> {
    limits::check_text(regex)?;
    if regex.is_empty() {
        return Err(GrammarError::Invalid {
            kind: "regex",
            why: "expected a regular expression, found an empty text".to_owned(),
        });
    }
    Ok(format!("start: /{}/", regex_to_lark(regex, "")))
}
