//! Texts as vectors, for the dialects that have them: checked, counted, and computed some at a time.

use std::sync::Arc;

use ingle::{Embed, Model};

use crate::error::{ApiError, Outcome};
use crate::fields::{Text, TextFields};
use crate::generate::off_thread;
use crate::state::App;

/// Most texts of one request, as OpenAI has it.
pub(crate) const MAX_TEXTS: usize = 2048;

/// Texts that are computed at a time, so that others come to their turn.
const AT_A_TIME: usize = 32;

/// Vectors as the model has them, and the tokens they took.
pub(crate) struct Embedded {
    pub(crate) vectors: Vec<Vec<f32>>,
    pub(crate) num_tokens: usize,
}

/// The vectors of texts.
///
/// # Errors
/// A text that is none, is empty or too long; if the server is busy.
pub(crate) async fn embed(
    app: &Arc<App>,
    model: &Model,
    field: &'static str,
    texts: &TextFields,
) -> Outcome<Embedded> {
    let texts = texts.read(field, MAX_TEXTS)?;
    let _place = app.queue.enter(1)?;
    let tokens = {
        let model = model.clone();
        off_thread(move || tokens(field, &texts, &model))
    };
    let tokens = tokens.await??;
    let num_tokens = tokens.iter().map(Vec::len).sum();
    let mut vectors = Vec::with_capacity(tokens.len());
    for some in tokens.chunks(AT_A_TIME) {
        let embed = model.embed_tokens(some.to_vec()).normalize(false);
        vectors.extend(pooled(app, embed).run_async().await?);
    }
    Ok(Embedded {
        vectors,
        num_tokens,
    })
}

/// Pooled as the server was told, or as the model is made.
pub(crate) fn pooled(app: &App, embed: Embed) -> Embed {
    match app.options.pooling {
        Some(pooling) => embed.pooling(pooling),
        None => embed,
    }
}

/// How long vectors are to be: as is asked, or as the model makes them.
///
/// # Errors
/// If the model's are shorter.
pub(crate) fn dimensions(asked: Option<usize>, model: &Model) -> Outcome<usize> {
    let width = model.model().config().d_model;
    let dimensions = asked.unwrap_or(width);
    match (1..=width).contains(&dimensions) {
        true => Ok(dimensions),
        false => {
            let message = format!("`dimensions`: expected 1 to {width}, found {dimensions}");
            Err(ApiError::field("dimensions", message))
        }
    }
}

/// The first elements of a vector, scaled to length 1.
pub(crate) fn shorten(vector: &mut Vec<f32>, dimensions: usize) {
    vector.truncate(dimensions);
    normalize(vector, 2);
}

fn tokens(field: &str, texts: &[Text], model: &Model) -> Outcome<Vec<Vec<u32>>> {
    let tokens = |text: &Text| {
        let tokens = text.tokens(field, model.tokenizer(), false)?;
        match tokens.is_empty() {
            true => Err(ApiError::field(
                field,
                format!("`{field}`: a text is empty"),
            )),
            false => Ok(tokens),
        }
    };
    texts.iter().map(tokens).collect()
}

/// Scales a vector by its norm as llama.cpp counts them: -1 leaves it, 0 makes its greatest part that of a 16-bit
/// number, 1 is taxicab, 2 Euclidean, more the norm of that degree.
pub(crate) fn normalize(vector: &mut [f32], norm: i32) {
    let parts = vector.iter().map(|&x| f64::from(x).abs());
    let length = match norm {
        0 => parts.fold(0.0, f64::max) / 32760.0,
        1 => parts.sum(),
        2 => parts.map(|x| x * x).sum::<f64>().sqrt(),
        p if p > 2 => parts
            .map(|x| x.powf(p.into()))
            .sum::<f64>()
            .powf(1.0 / f64::from(p)),
        _ => return,
    };
    if length > 0.0 && length.is_finite() {
        let scale = |x: &mut f32| *x = (f64::from(*x) / length) as f32;
        vector.iter_mut().for_each(scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_scaled_by_each_norm() {
        let scaled = |norm: i32| {
            let mut vector = [3.0, -4.0];
            normalize(&mut vector, norm);
            vector
        };
        assert_eq!(scaled(2), [0.6, -0.8]);
        assert_eq!(scaled(-1), [3.0, -4.0]);
        assert_eq!(scaled(1), [3.0 / 7.0, -4.0 / 7.0]);
        assert_eq!(scaled(0), [24570.0, -32760.0]);
        let mut nothing = [0.0, 0.0];
        normalize(&mut nothing, 2);
        assert_eq!(nothing, [0.0, 0.0]);
    }
}
