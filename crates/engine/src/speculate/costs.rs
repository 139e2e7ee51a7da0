//! What a step costs by its number of tokens, and how often guesses are right: how many to make.
//!
//! A guess is worth making if the tokens that it is expected to give are worth the time it adds. Both are measured
//! while the engine runs, so guessing stops by itself where it does not pay. Neither changes a text.

use std::time::Duration;

/// Most guesses in a row.
pub(crate) const MAX_DRAFT: usize = 15;
/// Steps of up to so many tokens are timed.
const MAX_TIMED: usize = 64;
/// Weight of a new time, and of a new guess's outcome.
const NEW_TIME: f64 = 0.15;
const NEW_OUTCOME: f64 = 0.06;
/// Supposed cost of a token more, as a share of the step, until it is known.
const SUPPOSED: f64 = 0.06;
/// What is gained must be more than what timing may be wrong by.
const MARGIN: f64 = 1.03;
/// Lengths of matches are told apart up to here, by their logarithm.
const CLASSES: usize = 7;
/// How often a guess after a match of each class is right, to begin with.
const SUPPOSED_RIGHT: [f64; CLASSES] = [0.0, 0.2, 0.3, 0.5, 0.7, 0.8, 0.85];
/// The same of a draft model's, and what a step of it costs, as a share of a step of the model.
const SUPPOSED_MODEL_RIGHT: f64 = 0.7;
const SUPPOSED_MODEL_TIME: f64 = 0.2;
/// By how much what was learnt is forgotten whenever no guess is made, so that it is tried again some day.
const FORGET: f64 = 0.0005;
/// A draft model may always have something to say: after so many steps with its guesses, one is timed without.
const MOST_GUESSED: u32 = 32;

/// Means of what was measured.
#[derive(Debug)]
pub(crate) struct Costs {
    /// Of steps that hold replies only, in seconds, by tokens.
    times: [Option<f64>; MAX_TIMED + 1],
    right: [f64; CLASSES],
    /// Of steps of a draft model, in seconds, by tokens.
    model_times: [Option<f64>; MAX_TIMED + 1],
    /// How often its guess is right.
    model_right: f64,
    /// Steps with its guesses since the last one without.
    num_guessed: u32,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            times: [None; MAX_TIMED + 1],
            right: SUPPOSED_RIGHT,
            model_times: [None; MAX_TIMED + 1],
            model_right: SUPPOSED_MODEL_RIGHT,
            num_guessed: 0,
        }
    }
}

impl Costs {
    /// A step of `tokens` tokens took so long.
    pub(crate) fn record_step(&mut self, tokens: usize, time: Duration) {
        record(&mut self.times, tokens, time);
    }

    /// A draft model's step of `tokens` tokens took so long.
    pub(crate) fn record_model_step(&mut self, tokens: usize, time: Duration) {
        record(&mut self.model_times, tokens, time);
    }

    /// Of `drafted` guesses of a draft model, the first `accepted` were right.
    pub(crate) fn record_model_guesses(&mut self, drafted: usize, accepted: usize) {
        learn(&mut self.model_right, drafted, accepted);
    }

    /// Of `drafted` guesses after a match of `len`, the first `accepted` were right.
    pub(crate) fn record_guesses(&mut self, len: usize, drafted: usize, accepted: usize) {
        learn(&mut self.right[class(len)], drafted, accepted);
    }

    /// Whether a guess after a match of `len` is less often right than one of a draft model.
    pub(crate) fn is_weak(&self, len: usize) -> bool {
        self.right[class(len)] < self.model_right
    }

    /// How many guesses to make after a match of `len`, at most `most`, beside `tokens` tokens of the step, which is
    /// expected to give `expected` tokens; that number with these guesses.
    pub(crate) fn draft_len(
        &mut self,
        len: usize,
        most: usize,
        tokens: usize,
        expected: f64,
    ) -> (usize, f64) {
        let right = self.right[class(len)];
        let mut best = (0, expected);
        let mut rate = expected / self.time(tokens) * MARGIN;
        let (mut chance, mut gained) = (1.0, expected);
        for drafts in 1..=most.min(MAX_DRAFT) {
            chance *= right;
            gained += chance;
            let found = gained / self.time(tokens + drafts);
            if found > rate {
                (best, rate) = ((drafts, gained), found);
            }
        }
        if best.0 == 0 {
            let class = class(len);
            self.right[class] += FORGET * (SUPPOSED_RIGHT[class] - self.right[class]);
        }
        best
    }

    /// How many tokens a draft model should write on for each of `texts`, at most `most`, beside `tokens` tokens of the
    /// step, which is expected to give `expected` tokens.
    pub(crate) fn model_draft_len(
        &mut self,
        texts: usize,
        most: usize,
        tokens: usize,
        expected: f64,
    ) -> usize {
        if texts == 0 || most == 0 {
            return 0;
        }
        // What a step takes without is compared with, and must be known.
        if self.times[tokens.min(MAX_TIMED)].is_none() || self.num_guessed >= MOST_GUESSED {
            self.num_guessed = 0;
            return 0;
        }
        // A text has one token to read in each step, two in the first: the nearest that was timed.
        let nearest = texts.min(MAX_TIMED)..=(2 * texts).min(MAX_TIMED);
        let known = self.model_times[nearest].iter().flatten().next().copied();
        let each = known.unwrap_or_else(|| SUPPOSED_MODEL_TIME * self.time(texts));
        let mut best = 0;
        let mut rate = expected / self.time(tokens) * MARGIN;
        let (mut chance, mut gained, mut drafting) = (1.0, expected, 0.0);
        for drafts in 1..=most.min(MAX_DRAFT) {
            chance *= self.model_right;
            gained += chance * texts as f64;
            drafting += each;
            let found = gained / (self.time(tokens + drafts * texts) + drafting);
            if found > rate {
                (best, rate) = (drafts, found);
            }
        }
        self.num_guessed += 1;
        if best == 0 {
            self.num_guessed = 0;
            self.model_right += FORGET * (SUPPOSED_MODEL_RIGHT - self.model_right);
        }
        best
    }

    /// Supposed time of a step.
    fn time(&self, tokens: usize) -> f64 {
        let tokens = tokens.clamp(1, MAX_TIMED);
        if let Some(time) = self.times[tokens] {
            return time;
        }
        let more = |tokens: usize| 1.0 + SUPPOSED * tokens as f64;
        let below = (1..tokens).rev().find_map(|n| Some((n, self.times[n]?)));
        if let Some((n, time)) = below {
            return time * more(tokens - n);
        }
        let above = (tokens..=MAX_TIMED).find_map(|n| Some((n, self.times[n]?)));
        above.map_or(more(tokens - 1), |(n, time)| time / more(n - tokens))
    }
}

fn record(times: &mut [Option<f64>], tokens: usize, time: Duration) {
    let Some(mean) = times.get_mut(tokens) else {
        return;
    };
    let time = time.as_secs_f64();
    *mean = Some(mean.map_or(time, |mean| mean + NEW_TIME * (time - mean)));
}

fn learn(right: &mut f64, drafted: usize, accepted: usize) {
    for _ in 0..accepted {
        *right += NEW_OUTCOME * (1.0 - *right);
    }
    if accepted < drafted {
        *right -= NEW_OUTCOME * *right;
    }
}

fn class(len: usize) -> usize {
    (usize::BITS - len.leading_zeros()).min(CLASSES as u32 - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(each: f64) -> Costs {
        let mut costs = Costs::default();
        for tokens in 1..=20 {
            let time = 0.01 * (1.0 + each * (tokens - 1) as f64);
            costs.record_step(tokens, Duration::from_secs_f64(time));
        }
        costs
    }

    #[test]
    fn guesses_are_made_as_far_as_they_pay() {
        let mut cheap = costs(0.02);
        let (many, expected) = cheap.draft_len(40, 15, 1, 1.0);
        assert!(many > 5 && expected > 3.0, "{many} {expected}");
        assert_eq!(cheap.draft_len(40, 3, 1, 1.0).0, 3);
        assert_eq!(cheap.draft_len(0, 15, 1, 1.0), (0, 1.0));
        let mut dear = costs(1.0);
        assert_eq!(dear.draft_len(40, 15, 1, 1.0).0, 0);
    }

    #[test]
    fn a_draft_model_writes_as_far_as_it_pays() {
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1000.0);
        let mut cheap = costs(0.05);
        cheap.record_model_step(1, ms(1.0));
        let many = cheap.model_draft_len(1, 15, 1, 1.0);
        assert!((2..9).contains(&many), "{many}");
        assert_eq!(cheap.model_draft_len(1, 2, 1, 1.0), 2);
        assert_eq!(cheap.model_draft_len(0, 15, 1, 1.0), 0);
        // As slow as the model itself, or mostly wrong.
        let mut slow = costs(0.05);
        slow.record_model_step(1, ms(10.0));
        assert_eq!(slow.model_draft_len(1, 15, 1, 1.0), 0);
        while cheap.model_draft_len(1, 15, 1, 1.0) > 0 {
            cheap.record_model_guesses(1, 0);
        }
        let tried = |costs: &mut Costs| costs.model_draft_len(1, 15, 1, 1.0) > 0;
        let pause = (0..9000).take_while(|_| !tried(&mut cheap)).count();
        assert!((5..5000).contains(&pause), "{pause}");
    }

    /// However often guesses of a draft model are made, what they are compared with is known.
    #[test]
    fn steps_without_guesses_are_timed() {
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1000.0);
        let mut costs = Costs::default();
        let mut drafted = 0;
        for _ in 0..200 {
            let len = costs.model_draft_len(1, 15, 1, 1.0);
            costs.record_step(1 + len, ms(30.0 + len as f64));
            if len > 0 {
                costs.record_model_step(1, ms(14.0));
                costs.record_model_guesses(len, 0);
            }
            drafted += len;
        }
        assert!((1..20).contains(&drafted), "{drafted} in vain");
        // One that is always right is made use of in nearly every step.
        let mut costs = Costs::default();
        let guessed = (0..200).filter(|_| {
            let len = costs.model_draft_len(1, 15, 1, 1.0);
            costs.record_step(1 + len, ms(30.0 + len as f64));
            costs.record_model_step(1, ms(5.0));
            costs.record_model_guesses(len, len);
            len > 0
        });
        let guessed = guessed.count();
        assert!((190..200).contains(&guessed), "{guessed}");
    }

    #[test]
    fn wrong_guesses_end_and_are_tried_again_some_day() {
        let mut costs = costs(0.1);
        let mut wrong = 0;
        while costs.draft_len(4, 15, 1, 1.0).0 > 0 {
            costs.record_guesses(4, 1, 0);
            wrong += 1;
            assert!(wrong < 50);
        }
        assert!(wrong > 2);
        let mut declined = 0;
        while costs.draft_len(4, 15, 1, 1.0).0 == 0 {
            declined += 1;
            assert!(declined < 5000);
        }
        assert!(declined > 20, "{declined}");
    }
}
