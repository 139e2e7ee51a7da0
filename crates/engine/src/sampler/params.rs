//! How to sample: plain data with llama.cpp's names and defaults.

use super::order::Stage;

/// Parameters of one sequence's sampler. The defaults are llama.cpp's
/// (`common_params_sampling`), but for the seed, which is fixed here: who wants another text each
/// time passes another seed.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplerParams {
    /// Seed of all random draws.
    pub seed: u64,
    /// Which stages run, in this order; the default is [`Stage::DEFAULT_ORDER`].
    pub samplers: Vec<Stage>,
    /// Truncating stages keep at least this many candidates.
    pub min_keep: usize,
    /// 0 or less takes the best candidate; 1 leaves the logits as they are.
    pub temp: f32,
    /// Half the width of the range of dynamic temperature; 0 turns it off.
    pub dynatemp_range: f32,
    /// Exponent by which entropy maps to that range.
    pub dynatemp_exponent: f32,
    /// Number of candidates that top-k keeps; 0 turns it off.
    pub top_k: usize,
    /// Mass that top-p keeps; 1 turns it off.
    pub top_p: f32,
    /// Least probability, relative to the best candidate's; 0 turns min-p off.
    pub min_p: f32,
    /// Mass that locally typical sampling keeps; 1 turns it off.
    pub typ_p: f32,
    /// Standard deviations below the best logit; 0 or less turns top-n-sigma off.
    pub top_n_sigma: f32,
    /// Chance that XTC acts on a token; 0 turns it off.
    pub xtc_probability: f32,
    /// Probability from which on a candidate counts as a top choice; above 0.5 turns XTC off.
    pub xtc_threshold: f32,
    /// How many of the last tokens the penalties look at; 0 turns them off, -1 means all.
    pub repeat_last_n: i32,
    /// Divides positive and multiplies other logits of tokens seen; 1 turns it off.
    pub repeat_penalty: f32,
    /// Subtracted for every time a token was seen.
    pub frequency_penalty: f32,
    /// Subtracted once if a token was seen.
    pub presence_penalty: f32,
    /// Scale of the DRY penalty; 0 turns it off.
    pub dry_multiplier: f32,
    /// Growth of the DRY penalty per token of repetition.
    pub dry_base: f32,
    /// Longest repetition that DRY leaves alone.
    pub dry_allowed_length: usize,
    /// How many of the last tokens DRY looks at; 0 turns it off, -1 means all.
    pub dry_penalty_last_n: i32,
    /// Texts across which DRY sees no repetition.
    pub dry_sequence_breakers: Vec<String>,
    /// Replaces the stages by temperature and Mirostat.
    pub mirostat: Mirostat,
    /// Mirostat's target surprise, in bits.
    pub mirostat_tau: f32,
    /// Mirostat's learning rate.
    pub mirostat_eta: f32,
    /// Added to logits before everything else; minus infinity bans a token.
    pub logit_bias: Vec<(u32, f32)>,
    /// None reports no log-probabilities, `Some(n)` those of the chosen token and of the best `n`.
    pub logprobs: Option<usize>,
    /// Log-probabilities are those that the token was drawn by, after all stages, rather than the model's own; what no
    /// stage has left is not among them.
    pub logprobs_after: bool,
    /// With [`Self::logprobs`], tokens whose log-probabilities are reported after those, wherever they rank.
    pub logprob_tokens: Vec<u32>,
}

/// Which version of Mirostat, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mirostat {
    /// The stages of [`SamplerParams::samplers`] run.
    #[default]
    Off,
    /// Estimates the distribution's exponent and sets a top-k by it.
    V1,
    /// Cuts by surprise.
    V2,
}

impl Default for SamplerParams {
    fn default() -> Self {
        Self {
            seed: 0,
            samplers: Stage::DEFAULT_ORDER.to_vec(),
            min_keep: 0,
            temp: 0.8,
            dynatemp_range: 0.0,
            dynatemp_exponent: 1.0,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            typ_p: 1.0,
            top_n_sigma: -1.0,
            xtc_probability: 0.0,
            xtc_threshold: 0.1,
            repeat_last_n: 64,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            dry_multiplier: 0.0,
            dry_base: 1.75,
            dry_allowed_length: 2,
            dry_penalty_last_n: -1,
            dry_sequence_breakers: ["\n", ":", "\"", "*"].map(String::from).to_vec(),
            mirostat: Mirostat::Off,
            mirostat_tau: 5.0,
            mirostat_eta: 0.1,
            logit_bias: Vec::new(),
            logprobs: None,
            logprobs_after: false,
            logprob_tokens: Vec::new(),
        }
    }
}

/// A parameter outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sampler parameter `{field}`: expected {expected}, found {found}")]
pub struct ParamError {
    /// Name of the field of [`SamplerParams`].
    pub field: &'static str,
    /// The values it may have.
    pub expected: &'static str,
    /// The value it has.
    pub found: String,
}

impl SamplerParams {
    /// Always the most probable token, and no penalties.
    pub fn greedy() -> Self {
        Self {
            temp: 0.0,
            ..Self::default()
        }
    }

    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), ParamError> {
        const UNIT: &str = "a number from 0 to 1";
        const FINITE: &str = "a finite number";
        const NOT_NEGATIVE: &str = "a finite number from 0";
        const WINDOW: &str = "-1 (all), 0 (off) or a number of tokens";
        let unit = |x: f32| (0.0..=1.0).contains(&x);
        let not_negative = |x: f32| x.is_finite() && x >= 0.0;
        let floats = [
            ("temp", self.temp, FINITE, self.temp.is_finite()),
            (
                "dynatemp_range",
                self.dynatemp_range,
                NOT_NEGATIVE,
                not_negative(self.dynatemp_range),
            ),
            (
                "dynatemp_exponent",
                self.dynatemp_exponent,
                NOT_NEGATIVE,
                not_negative(self.dynatemp_exponent),
            ),
            ("top_p", self.top_p, UNIT, unit(self.top_p)),
            ("min_p", self.min_p, UNIT, unit(self.min_p)),
            ("typ_p", self.typ_p, UNIT, unit(self.typ_p)),
            (
                "top_n_sigma",
                self.top_n_sigma,
                FINITE,
                self.top_n_sigma.is_finite(),
            ),
            (
                "xtc_probability",
                self.xtc_probability,
                UNIT,
                unit(self.xtc_probability),
            ),
            (
                "xtc_threshold",
                self.xtc_threshold,
                UNIT,
                unit(self.xtc_threshold),
            ),
            (
                "repeat_penalty",
                self.repeat_penalty,
                "a finite number above 0",
                not_negative(self.repeat_penalty) && self.repeat_penalty > 0.0,
            ),
            (
                "frequency_penalty",
                self.frequency_penalty,
                FINITE,
                self.frequency_penalty.is_finite(),
            ),
            (
                "presence_penalty",
                self.presence_penalty,
                FINITE,
                self.presence_penalty.is_finite(),
            ),
            (
                "dry_multiplier",
                self.dry_multiplier,
                NOT_NEGATIVE,
                not_negative(self.dry_multiplier),
            ),
            (
                "dry_base",
                self.dry_base,
                NOT_NEGATIVE,
                not_negative(self.dry_base),
            ),
            (
                "mirostat_tau",
                self.mirostat_tau,
                NOT_NEGATIVE,
                not_negative(self.mirostat_tau),
            ),
            (
                "mirostat_eta",
                self.mirostat_eta,
                NOT_NEGATIVE,
                not_negative(self.mirostat_eta),
            ),
        ];
        for (field, found, expected, holds) in floats {
            if !holds {
                return Err(ParamError {
                    field,
                    expected,
                    found: found.to_string(),
                });
            }
        }
        for (field, found) in [
            ("repeat_last_n", self.repeat_last_n),
            ("dry_penalty_last_n", self.dry_penalty_last_n),
        ] {
            if found < -1 {
                return Err(ParamError {
                    field,
                    expected: WINDOW,
                    found: found.to_string(),
                });
            }
        }
        if let Some((id, bias)) = self.logit_bias.iter().find(|(_, bias)| bias.is_nan()) {
            return Err(ParamError {
                field: "logit_bias",
                expected: "a number for each token",
                found: format!("{bias} for token {id}"),
            });
        }
        Ok(())
    }
}
