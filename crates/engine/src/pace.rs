//! How many tokens of a prompt a step takes while others are replying.
//!
//! Who reads a reply should not notice that a prompt is being read beside it, so the prompt's share of a step is
//! about what the replies cost alone. Times decide how the work is cut, never what comes out.

use std::time::Duration;

/// Least tokens of a prompt beside replies: it has to get on.
const MIN_CHUNK: usize = 8;
/// What the prompt's share may cost, in steps of replies alone.
const SHARE: f64 = 1.0;
/// Weight of a new measurement.
const NEW: f64 = 0.2;

/// Mean times of the latest steps.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Of a step that held replies only, in seconds.
    replies: Option<f64>,
    /// Of a prompt's token, in seconds.
    prompt_token: Option<f64>,
}

impl Pace {
    /// A step took so long.
    pub(crate) fn record(&mut self, reply_tokens: usize, prompt_tokens: usize, time: Duration) {
        let seconds = time.as_secs_f64();
        if prompt_tokens == 0 {
            mean(&mut self.replies, seconds);
            return;
        }
        let replies = match reply_tokens {
            0 => 0.0,
            _ => self.replies.unwrap_or(0.0),
        };
        let own = (seconds - replies).max(seconds / 4.0);
        mean(&mut self.prompt_token, own / prompt_tokens as f64);
    }

    /// Tokens of prompts in a step with replies.
    pub(crate) fn chunk(&self, most: usize) -> usize {
        let tokens = match (self.replies, self.prompt_token) {
            (Some(replies), Some(token)) => (SHARE * replies / token) as usize,
            _ => MIN_CHUNK,
        };
        tokens.max(MIN_CHUNK).min(most)
    }
}

fn mean(mean: &mut Option<f64>, value: f64) {
    *mean = Some(mean.map_or(value, |mean| mean + NEW * (value - mean)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_take_as_long_as_replies_do() {
        let ms = Duration::from_millis;
        let mut pace = Pace::default();
        assert_eq!(pace.chunk(512), MIN_CHUNK);
        pace.record(2, 0, ms(30));
        pace.record(0, 100, ms(100));
        assert_eq!(pace.chunk(512), 30);
        assert_eq!(pace.chunk(20), 20);
        pace.record(2, 30, ms(60));
        assert_eq!(pace.chunk(512), 30);
    }
}
