//! Sampler flags under llama.cpp's names, and the parameters they make.

use ingle::SamplerDefaults;
use ingle::sampler::{Mirostat, SamplerParams, Stage};

use crate::failure::Failure;

/// What llama.cpp starts from; so do we.
fn defaults() -> SamplerParams {
    SamplerParams::default()
}

/// How to choose tokens.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Sampling (llama.cpp's names, defaults and order)")]
pub(crate) struct SamplingArgs {
    /// Seed of the random draws; -1 takes a new one each time
    #[arg(short, long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    pub(crate) seed: i64,
    /// Temperature; 0 always takes the most probable token [default: what the model recommends, else 0.8]
    #[arg(
        long,
        value_name = "T",
        alias = "temperature",
        allow_negative_numbers = true
    )]
    temp: Option<f32>,
    /// Keep the N most probable tokens; 0 keeps all [default: what the model recommends, else 40]
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Keep the most probable tokens that make up this mass [default: what the model recommends, else 0.95]
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Drop tokens less probable than P times the best one [default: what the model recommends, else 0.05]
    #[arg(long, value_name = "P")]
    min_p: Option<f32>,
    /// Locally typical sampling: keep this mass; 1 is off [default: what the model recommends, else 1]
    #[arg(long, value_name = "P", alias = "typical-p")]
    typical: Option<f32>,
    /// Keep logits within S standard deviations of the best; -1 is off
    #[arg(long, value_name = "S", visible_alias = "top-nsigma", default_value_t = defaults().top_n_sigma, allow_negative_numbers = true)]
    top_n_sigma: f32,
    /// Chance that XTC removes top choices; 0 is off
    #[arg(long, value_name = "P", default_value_t = defaults().xtc_probability)]
    xtc_probability: f32,
    /// Probability from which XTC counts a token as a top choice
    #[arg(long, value_name = "P", default_value_t = defaults().xtc_threshold)]
    xtc_threshold: f32,
    /// Tokens that the penalties look back on; 0 is off, -1 is all
    #[arg(long, value_name = "N", default_value_t = defaults().repeat_last_n, allow_negative_numbers = true)]
    repeat_last_n: i32,
    /// Penalty on tokens seen; 1 is off [default: what the model recommends, else 1]
    #[arg(long, value_name = "X")]
    repeat_penalty: Option<f32>,
    /// Subtracted from logits of tokens seen
    #[arg(long, value_name = "X", default_value_t = defaults().presence_penalty, allow_negative_numbers = true)]
    presence_penalty: f32,
    /// Subtracted from logits for every time a token was seen
    #[arg(long, value_name = "X", default_value_t = defaults().frequency_penalty, allow_negative_numbers = true)]
    frequency_penalty: f32,
    /// Scale of the DRY penalty on repeated sequences; 0 is off
    #[arg(long, value_name = "X", default_value_t = defaults().dry_multiplier)]
    dry_multiplier: f32,
    /// Growth of the DRY penalty per repeated token
    #[arg(long, value_name = "X", default_value_t = defaults().dry_base)]
    dry_base: f32,
    /// Longest repetition that DRY leaves alone
    #[arg(long, value_name = "N", default_value_t = defaults().dry_allowed_length)]
    dry_allowed_length: usize,
    /// Tokens that DRY looks back on; 0 is off, -1 is all
    #[arg(long, value_name = "N", default_value_t = defaults().dry_penalty_last_n, allow_negative_numbers = true)]
    dry_penalty_last_n: i32,
    /// Text across which DRY sees no repetition, in place of the usual ones; may be repeated, `none` for none
    #[arg(long, value_name = "TEXT")]
    dry_sequence_breaker: Vec<String>,
    /// Half the range of dynamic temperature; 0 is off
    #[arg(long, value_name = "X", default_value_t = defaults().dynatemp_range)]
    dynatemp_range: f32,
    /// Exponent of dynamic temperature
    #[arg(long, value_name = "X", default_value_t = defaults().dynatemp_exponent)]
    dynatemp_exp: f32,
    /// Mirostat in place of the samplers: 1 or 2; 0 is off
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    mirostat: u8,
    /// Mirostat's learning rate
    #[arg(long, value_name = "X", default_value_t = defaults().mirostat_eta)]
    mirostat_lr: f32,
    /// Mirostat's target entropy
    #[arg(long, value_name = "X", default_value_t = defaults().mirostat_tau)]
    mirostat_ent: f32,
    /// Which samplers run, in this order, by name between `;` [default:
    /// penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature]
    #[arg(long, value_name = "NAMES", value_parser = stages_by_name, conflicts_with = "sampler_seq")]
    samplers: Option<Stages>,
    /// The same, by letter [default: edskypmxt]
    #[arg(long, value_name = "LETTERS", visible_alias = "sampling-seq", value_parser = stages_by_letter)]
    sampler_seq: Option<Stages>,
    /// Samplers that drop tokens keep at least N
    #[arg(long, value_name = "N", default_value_t = defaults().min_keep)]
    min_keep: usize,
    /// Change a token's logit, as `15043+1` or `15043-inf`; may be repeated
    #[arg(short, long, value_name = "ID(+/-)BIAS", value_parser = bias)]
    pub(crate) logit_bias: Vec<(u32, f32)>,
    /// Go on after the end of the text
    #[arg(long)]
    pub(crate) ignore_eos: bool,
}

/// A wrapper, because a `Vec` would make clap expect a repeated flag.
#[derive(Debug, Clone)]
struct Stages(Vec<Stage>);

impl SamplingArgs {
    /// The parameters but for the seed; `model` is what the model recommends.
    ///
    /// # Errors
    /// A value outside its range is wrong usage.
    pub(crate) fn params(&self, model: &SamplerDefaults) -> Result<SamplerParams, Failure> {
        let mut start = defaults();
        model.apply(&mut start);
        let params = self.over(&start);
        params
            .validate()
            .map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(params)
    }

    /// The parameters but for the seed, where `start` is what holds for flags that were not given.
    pub(crate) fn over(&self, start: &SamplerParams) -> SamplerParams {
        let breakers = &self.dry_sequence_breaker;
        SamplerParams {
            seed: 0,
            samplers: match self.samplers.as_ref().or(self.sampler_seq.as_ref()) {
                Some(stages) => stages.0.clone(),
                None => Stage::DEFAULT_ORDER.to_vec(),
            },
            min_keep: self.min_keep,
            temp: self.temp.unwrap_or(start.temp),
            dynatemp_range: self.dynatemp_range,
            dynatemp_exponent: self.dynatemp_exp,
            top_k: self.top_k.unwrap_or(start.top_k),
            top_p: self.top_p.unwrap_or(start.top_p),
            min_p: self.min_p.unwrap_or(start.min_p),
            typ_p: self.typical.unwrap_or(start.typ_p),
            top_n_sigma: self.top_n_sigma,
            xtc_probability: self.xtc_probability,
            xtc_threshold: self.xtc_threshold,
            repeat_last_n: self.repeat_last_n,
            repeat_penalty: self.repeat_penalty.unwrap_or(start.repeat_penalty),
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            dry_multiplier: self.dry_multiplier,
            dry_base: self.dry_base,
            dry_allowed_length: self.dry_allowed_length,
            dry_penalty_last_n: self.dry_penalty_last_n,
            dry_sequence_breakers: match breakers.as_slice() {
                [] => defaults().dry_sequence_breakers,
                [none] if none == "none" => Vec::new(),
                texts => texts.to_vec(),
            },
            mirostat: match self.mirostat {
                0 => Mirostat::Off,
                1 => Mirostat::V1,
                _ => Mirostat::V2,
            },
            mirostat_tau: self.mirostat_ent,
            mirostat_eta: self.mirostat_lr,
            logit_bias: self.logit_bias.clone(),
            logprobs: None,
            logprobs_after: false,
            logprob_tokens: Vec::new(),
        }
    }

    /// Fields of a request that flags without a default of their own were given for.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let flags = [
            ("temperature", self.temp.is_some()),
            ("top_k", self.top_k.is_some()),
            ("top_p", self.top_p.is_some()),
            ("min_p", self.min_p.is_some()),
            ("typical_p", self.typical.is_some()),
            ("repeat_penalty", self.repeat_penalty.is_some()),
        ];
        let given = flags.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name).collect()
    }

    /// The fixed seed, if there is one.
    pub(crate) fn seed(&self) -> Option<u64> {
        u64::try_from(self.seed).ok()
    }
}

/// A seed nobody chose. The standard library seeds its hash maps from the system's entropy.
pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let hash = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    hash & u64::from(u32::MAX)
}

fn stages_by_name(text: &str) -> Result<Stages, String> {
    Stage::parse_list(text)
        .map(Stages)
        .map_err(|error| error.to_string())
}

fn stages_by_letter(text: &str) -> Result<Stages, String> {
    Stage::parse_letters(text)
        .map(Stages)
        .map_err(|error| error.to_string())
}

/// `15043+1`, `15043-0.5`, `15043-inf`.
fn bias(text: &str) -> Result<(u32, f32), String> {
    let expected = || "expected a token id, a sign and a number, as `15043-1`".to_owned();
    let sign = text.find(['+', '-']).ok_or_else(expected)?;
    let id = text[..sign].trim().parse().map_err(|_| expected())?;
    let bias: f32 = text[sign..].trim().parse().map_err(|_| expected())?;
    match bias.is_nan() {
        true => Err(expected()),
        false => Ok((id, bias)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        sampling: SamplingArgs,
    }

    fn params(flags: &str) -> Result<SamplerParams, Failure> {
        let words = std::iter::once("x").chain(flags.split_whitespace());
        Flags::try_parse_from(words)
            .expect("the flags parse")
            .sampling
            .params(&SamplerDefaults::default())
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        assert_eq!(params("").expect("valid"), SamplerParams::default());
    }

    #[test]
    fn what_the_model_recommends_gives_way_to_flags() {
        let model = SamplerDefaults {
            temp: Some(0.7),
            top_k: Some(20),
            ..SamplerDefaults::default()
        };
        let flags = Flags::try_parse_from(["x", "--temp", "0.1"]).expect("the flag parses");
        let found = flags.sampling.params(&model).expect("valid");
        let expected = SamplerParams {
            temp: 0.1,
            top_k: 20,
            ..SamplerParams::default()
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn every_flag_reaches_its_field() {
        let found = params(
            "--temp 0.5 --top-k 7 --top-p 0.6 --min-p 0.1 --typical 0.9 --top-nsigma 2 \
             --xtc-probability 0.2 --xtc-threshold 0.3 --repeat-penalty 1.1 --repeat-last-n -1 \
             --presence-penalty -0.5 --frequency-penalty 0.25 --dry-multiplier 0.8 --dry-base 2 \
             --dry-allowed-length 3 --dry-penalty-last-n 9 --dry-sequence-breaker none \
             --dynatemp-range 0.4 --dynatemp-exp 1.5 --mirostat 2 --mirostat-lr 0.2 --mirostat-ent 4 \
             --sampling-seq kt --min-keep 2 -l 5+1.5 --logit-bias 6-inf",
        );
        let expected = SamplerParams {
            seed: 0,
            samplers: vec![Stage::TopK, Stage::Temperature],
            min_keep: 2,
            temp: 0.5,
            dynatemp_range: 0.4,
            dynatemp_exponent: 1.5,
            top_k: 7,
            top_p: 0.6,
            min_p: 0.1,
            typ_p: 0.9,
            top_n_sigma: 2.0,
            xtc_probability: 0.2,
            xtc_threshold: 0.3,
            repeat_last_n: -1,
            repeat_penalty: 1.1,
            frequency_penalty: 0.25,
            presence_penalty: -0.5,
            dry_multiplier: 0.8,
            dry_base: 2.0,
            dry_allowed_length: 3,
            dry_penalty_last_n: 9,
            dry_sequence_breakers: Vec::new(),
            mirostat: Mirostat::V2,
            mirostat_tau: 4.0,
            mirostat_eta: 0.2,
            logit_bias: vec![(5, 1.5), (6, f32::NEG_INFINITY)],
            logprobs: None,
            logprobs_after: false,
            logprob_tokens: Vec::new(),
        };
        assert_eq!(found.expect("valid"), expected);
    }

    /// What the help says of the order.
    #[test]
    fn the_default_order_is_the_one_in_the_help() {
        let names = Stage::DEFAULT_ORDER.map(Stage::name).join(";");
        assert_eq!(
            names,
            "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature"
        );
        let letters = Stage::parse_letters("edskypmxt").expect("all are known");
        assert_eq!(letters, Stage::DEFAULT_ORDER);
    }

    #[test]
    fn a_value_out_of_range_is_wrong_usage() {
        assert!(matches!(params("--top-p 2"), Err(Failure::Usage(text)) if text.contains("top_p")));
    }

    #[test]
    fn biases_need_a_sign() {
        assert_eq!(bias("15043-1"), Ok((15043, -1.0)));
        for wrong in ["15043", "+1", "x-1", "1-x", "1-nan", ""] {
            assert!(bias(wrong).is_err(), "{wrong}");
        }
    }
}
