//! Looks over a template's tokens before it is parsed.
//!
//! The engine's parser bounds brackets and nested tags, but not how long a chain of operators,
//! lookups or `elif`s is, and a chain becomes a tree as deep as it is long. Here chains are
//! bounded, so that no template can overflow the stack. The `{% generation %}` tags by which
//! Hugging Face marks the assistant's text for training become an `if true` on the way.

use minijinja::Error;
use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::error::TemplateError;

/// Longest chain within one tag, brackets inside brackets added up; real templates stay below 100.
const MAX_CHAIN: usize = 400;
/// Most `elif`s that may be open at once.
const MAX_ELIF: usize = 200;

/// Checks `source` and returns the text to parse.
pub(super) fn prepare(source: &str, syntax: &SyntaxConfig) -> Result<String, TemplateError> {
    let too_long = |what: &str, most: usize| TemplateError::Limit {
        limit: format!("{most} {what}"),
    };
    let mut replaced = String::with_capacity(source.len());
    let mut copied = 0;
    let mut chains: Vec<usize> = Vec::new();
    let mut elifs: Vec<usize> = vec![0];
    let mut tag_begins = false;
    for token in tokenize(source, false, syntax.clone()) {
        let (token, span) = token.map_err(|error| lexer_error(&error, source))?;
        let first_in_tag = std::mem::replace(&mut tag_begins, matches!(token, Token::BlockStart));
        match token {
            Token::BlockStart | Token::VariableStart => chains = vec![0],
            Token::Ident(keyword) if first_in_tag => match keyword {
                "generation" | "endgeneration" => {
                    let tag = if keyword == "generation" {
                        "if true"
                    } else {
                        "endif"
                    };
                    replaced.push_str(&source[copied..span.start_offset as usize]);
                    replaced.push_str(tag);
                    copied = span.end_offset as usize;
                }
                "if" => elifs.push(0),
                "elif" => {
                    *elifs.last_mut().expect("never empty") += 1;
                    if elifs.iter().sum::<usize>() > MAX_ELIF {
                        return Err(too_long("open `elif` branches", MAX_ELIF));
                    }
                }
                "endif" if elifs.len() > 1 => {
                    elifs.pop();
                }
                _ => {}
            },
            Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => {
                lengthen(&mut chains);
                chains.push(0);
            }
            Token::BracketClose | Token::ParenClose | Token::BraceClose if chains.len() > 1 => {
                chains.pop();
            }
            Token::Comma => chains.last_mut().into_iter().for_each(|chain| *chain = 0),
            Token::Ident("and" | "or" | "not" | "in" | "is" | "if" | "else")
            | Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::FloorDiv
            | Token::Pow
            | Token::Mod
            | Token::Dot
            | Token::Tilde
            | Token::Pipe
            | Token::Eq
            | Token::Ne
            | Token::Gt
            | Token::Gte
            | Token::Lt
            | Token::Lte => lengthen(&mut chains),
            _ => {}
        }
        if chains.iter().sum::<usize>() > MAX_CHAIN {
            return Err(too_long("operators in one expression", MAX_CHAIN));
        }
    }
    replaced.push_str(&source[copied..]);
    Ok(replaced)
}

fn lengthen(chains: &mut [usize]) {
    if let Some(chain) = chains.last_mut() {
        *chain += 1;
    }
}

/// The lexer gives some errors no line; what is wrong is then near the end of the source.
fn lexer_error(error: &Error, source: &str) -> TemplateError {
    match TemplateError::from_engine(error) {
        TemplateError::Syntax { line: 0, message } => TemplateError::Syntax {
            line: source.lines().count().max(1),
            message,
        },
        other => other,
    }
}
