//! Samplers that change logits, and Mirostat.

use super::*;
use crate::sampler::candidates::Candidate;

#[test]
fn temperature_scales_and_dynamic_temperature_follows_entropy() {
    let logits = [1.0_f32, 3.0, 2.0, 3.0];
    let scaled = |temp, range, exponent| {
        let mut candidates = loaded(&logits);
        temperature::apply(&mut candidates, temp, range, exponent);
        candidates
            .list()
            .iter()
            .map(|c| (c.id, c.logit))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        scaled(0.5, 0.0, 1.0),
        [(0, 2.0), (1, 6.0), (2, 4.0), (3, 6.0)]
    );
    for greedy in [0.0, -1.0, 1e-45] {
        assert_eq!(
            scaled(greedy, 0.0, 1.0)[0].0,
            1,
            "the lower id of two equals"
        );
        assert_eq!(scaled(greedy, 0.0, 1.0).len(), 1);
    }
    let sorted = ranked(&logits);
    let entropy: f64 = sorted.iter().map(|r| -r.2 * r.2.ln()).sum();
    let temp = 0.5 + 1.0 * (entropy / 4_f64.ln()).powf(2.0);
    let found = scaled(1.0, 0.5, 2.0)[2].1;
    assert!((f64::from(found) - 2.0 / temp).abs() < 1e-5, "{found}");
}

#[test]
fn penalties_follow_the_formula() {
    let params = SamplerParams {
        repeat_last_n: 4,
        repeat_penalty: 2.0,
        frequency_penalty: 0.5,
        presence_penalty: 0.25,
        ..Default::default()
    };
    let mut candidates = loaded(&[4.0, -4.0, 1.0, f32::NEG_INFINITY]);
    // Token 2 lies outside the last four, 9 outside the vocabulary.
    penalties::apply(&mut candidates, &params, &[2, 0, 0, 1, 9], &mut Vec::new());
    let found: Vec<f32> = candidates.logits().collect();
    assert_eq!(found, [2.0 - 1.25, -8.0 - 0.75, 1.0, f32::NEG_INFINITY]);

    let mut candidates = loaded(&[1.0, 2.0, 3.0]);
    let bias = [
        (0, 1.5),
        (2, f32::NEG_INFINITY),
        (7, 1.0),
        (1, f32::INFINITY),
    ];
    penalties::apply_bias(&mut candidates, &bias);
    let found: Vec<f32> = candidates.logits().collect();
    assert_eq!(found, [2.5, f32::MAX, f32::NEG_INFINITY]);
}

/// DRY by its definition: for every token, the longest repetition that it would continue.
fn dry_oracle(history: &[u32], params: &SamplerParams, breakers: &[u32], token: u32) -> f64 {
    let window =
        &history[history.len() - penalties::last_n(history, params.dry_penalty_last_n).len()..];
    let after_break = window
        .iter()
        .rposition(|t| breakers.contains(t))
        .map_or(0, |at| at + 1);
    let stretch = window.len() - after_break;
    if breakers.contains(&token) || window.len() <= params.dry_allowed_length {
        return 0.0;
    }
    let mut longest = None;
    for at in (0..window.len()).filter(|&at| window[at] == token) {
        let common = (1..=at.min(stretch))
            .take_while(|&back| window[at - back] == window[window.len() - back])
            .count();
        longest = longest.max(Some(common));
    }
    longest
        .filter(|&n| n >= params.dry_allowed_length)
        .map_or(0.0, |n| {
            let exponent = (n - params.dry_allowed_length) as f64;
            f64::from(params.dry_multiplier) * f64::from(params.dry_base).powf(exponent)
        })
}

#[test]
fn dry_equals_its_definition() {
    let mut rng = Rng::new(3);
    for round in 0..500 {
        let kinds = 2 + round % 4;
        let length = (rng.uniform() * 30.0) as usize;
        let history: Vec<u32> = (0..length)
            .map(|_| (rng.uniform() * f64::from(kinds)) as u32)
            .collect();
        let params = SamplerParams {
            dry_multiplier: 0.8,
            dry_allowed_length: 1 + (round % 3) as usize,
            dry_penalty_last_n: if round % 2 == 0 { -1 } else { 12 },
            ..Default::default()
        };
        let breakers: Vec<u32> = if round % 5 == 0 { vec![1] } else { vec![] };
        let tokens =
            DryBreakers::from_tokens(&breakers.iter().map(|&b| vec![b]).collect::<Vec<_>>());
        let mut candidates = loaded(&[0.0; 8]);
        dry::apply(
            &mut candidates,
            &params,
            &tokens,
            &history,
            &mut DryScratch::default(),
        );
        for &Candidate { id, logit } in candidates.list().iter() {
            let expected = -dry_oracle(&history, &params, &breakers, id);
            let close = (f64::from(logit) - expected).abs() <= 1e-4 * expected.abs();
            assert!(
                close,
                "{history:?} token {id}: expected {expected}, found {logit}"
            );
        }
    }
}

#[test]
fn dry_breakers_of_several_tokens_end_a_stretch() {
    let params = SamplerParams {
        dry_multiplier: 1.0,
        ..Default::default()
    };
    let penalty = |breakers: &[Vec<u32>]| {
        let mut candidates = loaded(&[0.0; 10]);
        let breakers = DryBreakers::from_tokens(breakers);
        // 1 2 3 4 stood before; 5 would continue it.
        let history = [1, 2, 3, 4, 5, 9, 1, 2, 3, 4];
        dry::apply(
            &mut candidates,
            &params,
            &breakers,
            &history,
            &mut DryScratch::default(),
        );
        -candidates.at(5).logit
    };
    assert_eq!(penalty(&[]), 1.75 * 1.75);
    assert_eq!(
        penalty(&[vec![1, 2]]),
        1.0,
        "two tokens are left after the breaker"
    );
    assert_eq!(
        penalty(&[vec![1, 7], vec![9]]),
        1.75 * 1.75,
        "half a breaker is none"
    );
    assert_eq!(penalty(&[vec![4]]), 0.0);
    let mut long = SamplerParams {
        dry_multiplier: 1.0,
        ..Default::default()
    };
    long.dry_base = 1000.0;
    let mut candidates = loaded(&[0.0; 2]);
    let history = [1_u32; 3000];
    let none = DryBreakers::default();
    dry::apply(
        &mut candidates,
        &long,
        &none,
        &history,
        &mut DryScratch::default(),
    );
    assert!(candidates.at(1).logit.is_finite(), "the power is bounded");
}

#[test]
fn mirostat_cuts_by_surprise_and_steers_to_its_target() {
    let logits = logits(1000, 40);
    let sorted = ranked(&logits);
    for mu in [0.0_f32, 1.0, 5.0, 8.0, 20.0] {
        let mut candidates = loaded(&logits);
        mirostat::truncate(&mut candidates, Mirostat::V2, mu, 1000);
        let expected: BTreeSet<u32> = sorted
            .iter()
            .enumerate()
            .filter(|(i, r)| *i == 0 || -r.2.log2() <= f64::from(mu))
            .map(|(_, r)| r.0)
            .collect();
        assert_eq!(ids(&candidates), expected, "mu {mu}");
        mirostat::truncate(&mut candidates, Mirostat::V1, mu, 1000);
        assert!(candidates.len() > 0);
    }
    for version in [Mirostat::V1, Mirostat::V2] {
        let params = SamplerParams {
            mirostat: version,
            mirostat_tau: 3.0,
            temp: 1.0,
            ..Default::default()
        };
        let mut sampler = Sampler::new(&params, 1000, DryBreakers::default()).unwrap();
        let mut surprise = 0.0;
        for _ in 0..2000 {
            let id = sampler.sample(&logits, &[]).id;
            surprise -= sorted.iter().find(|r| r.0 == id).unwrap().2.log2() / 2000.0;
            assert!(sampler.mu.is_finite());
        }
        // Surprise within the cut is steered; within the whole distribution it is higher.
        assert!((2.0..7.5).contains(&surprise), "{version:?}: {surprise}");
    }
}
