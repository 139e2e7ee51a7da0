//! Every sampler against an oracle that sorts everything and computes in f64, and the chain as a
//! whole: distribution of draws, order, determinism, extremes.

use std::collections::{BTreeMap, BTreeSet};

use super::candidates::{Candidate, Candidates};
use super::*;

/// Logits like a model's: a few high ones, a long tail, some ties and some that are banned.
fn logits(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let mut gauss = || (0..6).map(|_| rng.uniform() - 0.5).sum::<f64>() * 4.0;
    (0..n)
        .map(|i| match i % 17 {
            3 => f32::NEG_INFINITY,
            5 => 1.0,
            _ => gauss() as f32,
        })
        .collect()
}

fn loaded(logits: &[f32]) -> Candidates {
    let mut candidates = Candidates::default();
    candidates.load(logits);
    candidates
}

fn ids(candidates: &Candidates) -> BTreeSet<u32> {
    assert!(
        candidates
            .list
            .windows(2)
            .all(|pair| pair[0].id < pair[1].id),
        "in order of ids"
    );
    candidates.list.iter().map(|c| c.id).collect()
}

/// The oracle's view: (id, logit, probability), best first, ties by id.
fn ranked(logits: &[f32]) -> Vec<(u32, f64, f64)> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exp: Vec<f64> = logits.iter().map(|&l| f64::from(l - max).exp()).collect();
    let sum: f64 = exp.iter().sum();
    let mut all: Vec<_> = (0..logits.len())
        .map(|i| (i as u32, f64::from(logits[i]), exp[i] / sum))
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

/// Takes from `sorted` until the mass is reached.
fn until_mass(
    sorted: &[(u32, f64, f64)],
    mass: f64,
    strictly: bool,
    min_keep: usize,
) -> BTreeSet<u32> {
    let mut sum = 0.0;
    let mut kept = BTreeSet::new();
    for &(id, _, p) in sorted {
        kept.insert(id);
        sum += p;
        if (if strictly { sum > mass } else { sum >= mass }) && kept.len() >= min_keep {
            break;
        }
    }
    kept
}

const SIZES: [usize; 6] = [1, 2, 31, 100, 1000, 5003];

#[test]
fn top_k_is_the_head_of_the_sorted_list() {
    for (seed, n) in (0..).zip(SIZES) {
        let logits = logits(n, seed);
        for k in [0, 1, 2, 7, 40, n, n + 1] {
            let mut candidates = loaded(&logits);
            top_k::apply(&mut candidates, k);
            let take = if k == 0 { n } else { k };
            let expected: BTreeSet<u32> = ranked(&logits).iter().take(take).map(|r| r.0).collect();
            assert_eq!(ids(&candidates), expected, "n {n} k {k}");
        }
    }
}

#[test]
fn top_p_and_typical_are_the_shortest_prefix_of_that_mass() {
    for (seed, n) in (10..).zip(SIZES) {
        let logits = logits(n, seed);
        let sorted = ranked(&logits);
        let entropy: f64 = sorted
            .iter()
            .filter(|r| r.2 > 0.0)
            .map(|r| -r.2 * r.2.ln())
            .sum();
        let mut by_typicality = sorted.clone();
        let distance = |r: &(u32, f64, f64)| (-(r.2.ln()) - entropy).abs() as f32;
        by_typicality.sort_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.0.cmp(&b.0)));
        for p in [0.0_f32, 0.1, 0.5, 0.9, 0.95, 0.999, 1.0] {
            for min_keep in [0, 1, 5] {
                let mut candidates = loaded(&logits);
                top_p::apply(&mut candidates, p, min_keep);
                let expected = match p {
                    1.0 => sorted.iter().map(|r| r.0).collect(),
                    _ => until_mass(&sorted, p.into(), false, min_keep),
                };
                assert_eq!(
                    ids(&candidates),
                    expected,
                    "top-p n {n} p {p} keep {min_keep}"
                );

                let mut candidates = loaded(&logits);
                typical::apply(&mut candidates, p, min_keep);
                let kept = ids(&candidates);
                let expected = match p {
                    1.0 => sorted.iter().map(|r| r.0).collect(),
                    _ => until_mass(&by_typicality, p.into(), true, min_keep),
                };
                // Equal logits have equal typicality only up to rounding; compare the number and
                // the mass, not the names.
                let mass = |kept: &BTreeSet<u32>| -> f64 {
                    sorted
                        .iter()
                        .filter(|r| kept.contains(&r.0))
                        .map(|r| r.2)
                        .sum()
                };
                assert!(
                    kept.len().abs_diff(expected.len()) <= 1,
                    "typical n {n} p {p}"
                );
                assert!(
                    (mass(&kept) - mass(&expected)).abs() < 2e-2,
                    "typical n {n} p {p}"
                );
            }
        }
    }
}

#[test]
fn min_p_and_top_n_sigma_cut_by_value() {
    for (seed, n) in (20..).zip(SIZES) {
        let logits = logits(n, seed);
        let sorted = ranked(&logits);
        for p in [0.0_f32, 0.01, 0.05, 0.5, 1.0] {
            for min_keep in [0, 4] {
                let mut candidates = loaded(&logits);
                min_p::apply(&mut candidates, p, min_keep);
                let best = sorted[0].1;
                let expected: BTreeSet<u32> = sorted
                    .iter()
                    .enumerate()
                    .filter(|(i, r)| {
                        p == 0.0 || r.1 >= best + f64::from(p.ln()) - 1e-9 || *i < min_keep
                    })
                    .map(|(_, r)| r.0)
                    .collect();
                assert_eq!(ids(&candidates), expected, "n {n} p {p} keep {min_keep}");
            }
        }
        for sigma in [-1.0_f32, 0.0, 0.5, 1.0, 2.5] {
            let mut candidates = loaded(&logits);
            top_n_sigma::apply(&mut candidates, sigma);
            let finite: Vec<f64> = sorted
                .iter()
                .map(|r| r.1)
                .filter(|l| l.is_finite())
                .collect();
            let mean = finite.iter().sum::<f64>() / finite.len() as f64;
            let variance =
                finite.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / finite.len() as f64;
            let least = sorted[0].1 - f64::from(sigma) * variance.sqrt();
            let expected: BTreeSet<u32> = sorted
                .iter()
                .filter(|r| sigma <= 0.0 || n == 1 || r.1 >= least)
                .map(|r| r.0)
                .collect();
            assert_eq!(ids(&candidates), expected, "n {n} sigma {sigma}");
        }
    }
}

#[test]
fn xtc_leaves_the_least_of_the_top_choices() {
    // Probabilities 0.4, 0.3, 0.2, 0.06, 0.04.
    let probs = [0.06_f32, 0.4, 0.2, 0.3, 0.04];
    let logits: Vec<f32> = probs.iter().map(|p| p.ln()).collect();
    let run = |probability, threshold, min_keep| {
        let mut candidates = loaded(&logits);
        xtc::apply(
            &mut candidates,
            probability,
            threshold,
            min_keep,
            &mut Rng::new(1),
        );
        ids(&candidates).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(
        run(1.0, 0.1, 0),
        [0, 2, 4],
        "0.4 and 0.3 go, 0.2 is the last of three"
    );
    assert_eq!(run(1.0, 0.25, 0), [0, 2, 3, 4], "only 0.4 goes");
    assert_eq!(
        run(1.0, 0.35, 0),
        [0, 1, 2, 3, 4],
        "a single top choice stays"
    );
    assert_eq!(
        run(1.0, 0.51, 0),
        [0, 1, 2, 3, 4],
        "a threshold above one half is off"
    );
    assert_eq!(run(0.0, 0.1, 0), [0, 1, 2, 3, 4], "chance zero is off");
    assert_eq!(run(1.0, 0.1, 4), [0, 1, 2, 3, 4], "too few would be left");
    let mut rng = Rng::new(5);
    let acted = (0..10_000)
        .filter(|_| {
            let mut candidates = loaded(&logits);
            xtc::apply(&mut candidates, 0.3, 0.1, 0, &mut rng);
            candidates.list.len() == 3
        })
        .count();
    assert!((2800..3200).contains(&acted), "{acted}");
}

#[test]
fn temperature_scales_and_dynamic_temperature_follows_entropy() {
    let logits = [1.0_f32, 3.0, 2.0, 3.0];
    let scaled = |temp, range, exponent| {
        let mut candidates = loaded(&logits);
        temperature::apply(&mut candidates, temp, range, exponent);
        candidates
            .list
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
    let found: Vec<f32> = candidates.list.iter().map(|c| c.logit).collect();
    assert_eq!(found, [2.0 - 1.25, -8.0 - 0.75, 1.0, f32::NEG_INFINITY]);

    let mut candidates = loaded(&[1.0, 2.0, 3.0]);
    let bias = [
        (0, 1.5),
        (2, f32::NEG_INFINITY),
        (7, 1.0),
        (1, f32::INFINITY),
    ];
    penalties::apply_bias(&mut candidates, &bias);
    let found: Vec<f32> = candidates.list.iter().map(|c| c.logit).collect();
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
        for &Candidate { id, logit } in &candidates.list {
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
        -candidates.list[5].logit
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
    assert!(candidates.list[1].logit.is_finite(), "the power is bounded");
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
        assert!(!candidates.list.is_empty());
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

#[test]
fn draws_follow_the_distribution() {
    let logits = logits(60, 50);
    let params = SamplerParams {
        samplers: vec![Stage::Temperature],
        temp: 1.0,
        seed: 11,
        ..Default::default()
    };
    let mut sampler = Sampler::new(&params, 60, DryBreakers::default()).unwrap();
    let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
    let draws = 60_000;
    for _ in 0..draws {
        *counts.entry(sampler.sample(&logits, &[]).id).or_default() += 1.0;
    }
    let mut chi = 0.0;
    let mut cells = 0.0;
    for (id, _, p) in ranked(&logits) {
        let (seen, expected) = (
            counts.get(&id).copied().unwrap_or(0.0),
            p * f64::from(draws),
        );
        assert!(p > 0.0 || seen == 0.0, "a banned token was drawn");
        if expected > 5.0 {
            chi += (seen - expected).powi(2) / expected;
            cells += 1.0;
        }
    }
    // Mean `cells`, variance `2 cells`: four standard deviations.
    assert!(
        chi < cells + 4.0 * (2.0_f64 * cells).sqrt(),
        "{chi} over {cells} cells"
    );
}

#[test]
fn the_same_seed_gives_the_same_tokens_and_a_clone_goes_on() {
    let run = |sampler: &mut Sampler| -> Vec<u32> {
        (0..50)
            .map(|i| sampler.sample(&logits(500, 60 + i), &[]).id)
            .collect()
    };
    let new = |seed| {
        let params = SamplerParams {
            seed,
            xtc_probability: 0.5,
            temp: 1.5,
            ..Default::default()
        };
        Sampler::new(&params, 500, DryBreakers::default()).unwrap()
    };
    let mut first = new(1);
    let tokens = run(&mut first);
    assert_eq!(tokens, run(&mut new(1)));
    assert_ne!(tokens, run(&mut new(2)));
    let mut clone = first.clone();
    assert_eq!(run(&mut first), run(&mut clone));
}

#[test]
fn every_order_runs_and_the_order_matters() {
    let logits = logits(2000, 70);
    let orders = [
        "top_k;top_p;min_p;temperature",
        "temp;min-p;nucleus;top-k",
        "typical;xtc;dry;e",
        "",
    ];
    for names in &orders[..2] {
        let samplers = Stage::parse_list(names).unwrap();
        let params = SamplerParams {
            samplers,
            temp: 2.5,
            ..Default::default()
        };
        Sampler::new(&params, 2000, DryBreakers::default())
            .unwrap()
            .sample(&logits, &[1, 2]);
    }
    assert_eq!(Stage::parse_list(orders[3]).unwrap(), []);
    assert!(
        Stage::parse_list(orders[2])
            .unwrap_err()
            .to_string()
            .contains("`e`")
    );
    assert_eq!(
        Stage::parse_letters("edskypmxt").unwrap(),
        Stage::DEFAULT_ORDER
    );
    let names: Vec<&str> = Stage::DEFAULT_ORDER
        .iter()
        .map(|stage| stage.name())
        .collect();
    assert_eq!(
        Stage::parse_list(&names.join(";")).unwrap(),
        Stage::DEFAULT_ORDER
    );
    assert!(Stage::parse_letters("q").is_err());

    // A high temperature before min-p lets more tokens through than after it.
    let survivors = |samplers: Vec<Stage>| {
        let params = SamplerParams {
            samplers,
            temp: 5.0,
            ..Default::default()
        };
        let mut sampler = Sampler::new(&params, 2000, DryBreakers::default()).unwrap();
        sampler.sample(&logits, &[]);
        sampler.candidates.list.len()
    };
    assert!(
        survivors(vec![Stage::Temperature, Stage::MinP])
            > survivors(vec![Stage::MinP, Stage::Temperature])
    );
}

#[test]
fn greedy_takes_the_best_and_ties_go_to_the_lower_id() {
    let mut sampler = Sampler::new(&SamplerParams::greedy(), 4, DryBreakers::default()).unwrap();
    for (logits, expected) in [
        ([1.0, 5.0, 5.0, 2.0], 1),
        ([f32::NAN, 1.0, 0.0, f32::NAN], 1),
        ([f32::INFINITY, f32::INFINITY, 0.0, 0.0], 0),
        ([f32::NEG_INFINITY; 4], 0),
        ([f32::NAN; 4], 0),
        ([-1e38, -3e38, -2e38, f32::MIN], 0),
    ] {
        assert_eq!(sampler.sample(&logits, &[]).id, expected, "{logits:?}");
    }
}

#[test]
fn odd_logits_and_extreme_parameters_never_panic() {
    let values = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        0.0,
        1e-40,
    ];
    let mut rng = Rng::new(80);
    let mut pick = |choices: &[f32]| choices[(rng.uniform() * choices.len() as f64) as usize];
    for seed in 0..400 {
        let n = 1 + (seed as usize % 9);
        let logits: Vec<f32> = (0..n).map(|_| pick(&values)).collect();
        let params = SamplerParams {
            seed,
            temp: pick(&[0.0, 1e-45, 1.0, f32::MAX]),
            dynatemp_range: pick(&[0.0, 0.5, f32::MAX]),
            dynatemp_exponent: pick(&[0.0, 1.0, f32::MAX]),
            top_k: pick(&[0.0, 1.0, 3.0]) as usize,
            top_p: pick(&[0.0, 0.5, 1.0]),
            min_p: pick(&[0.0, 0.5, 1.0]),
            typ_p: pick(&[0.0, 0.5, 1.0]),
            top_n_sigma: pick(&[-1.0, 1e-30, 2.0, f32::MAX]),
            xtc_probability: pick(&[0.0, 1.0]),
            xtc_threshold: pick(&[0.0, 0.3]),
            repeat_last_n: -1,
            repeat_penalty: pick(&[f32::MIN_POSITIVE, 1.0, f32::MAX]),
            frequency_penalty: pick(&[0.0, f32::MAX, f32::MIN]),
            dry_multiplier: pick(&[0.0, 1.0, f32::MAX]),
            dry_base: pick(&[0.0, 1.0, f32::MAX]),
            dry_allowed_length: 0,
            mirostat: [Mirostat::Off, Mirostat::V1, Mirostat::V2][seed as usize % 3],
            mirostat_tau: pick(&[0.0, 5.0, f32::MAX]),
            logprobs: Some(3),
            ..Default::default()
        };
        let mut sampler = Sampler::new(&params, n, DryBreakers::default()).unwrap();
        for _ in 0..3 {
            let sampled = sampler.sample(&logits, &[0, 1, 0, 1, 0]);
            assert!((sampled.id as usize) < n);
            assert!(!sampled.logprob.unwrap().is_nan());
        }
    }
}

#[test]
fn logprobs_are_of_the_raw_distribution() {
    let logits = logits(300, 90);
    let params = SamplerParams {
        logprobs: Some(5),
        logit_bias: vec![(3, 100.0)],
        ..SamplerParams::greedy()
    };
    let mut sampler = Sampler::new(&params, 300, DryBreakers::default()).unwrap();
    // Token 3 is minus infinity by itself: bias chooses no banned token, so bias another.
    let sampled = sampler.sample(&logits, &[]);
    let sorted = ranked(&logits);
    let of = |id: u32| sorted.iter().find(|r| r.0 == id).unwrap().2.ln();
    assert!((f64::from(sampled.logprob.unwrap()) - of(sampled.id)).abs() < 1e-5);
    assert_eq!(sampled.top_logprobs.len(), 5);
    for ((id, logprob), expected) in sampled.top_logprobs.iter().zip(&sorted) {
        assert_eq!(*id, expected.0);
        assert!((f64::from(*logprob) - expected.2.ln()).abs() < 1e-5);
    }
    let mut flat = Sampler::new(&params, 2, DryBreakers::default()).unwrap();
    let sampled = flat.sample(&[f32::NEG_INFINITY; 2], &[]);
    assert_eq!(sampled.logprob, Some(-std::f32::consts::LN_2));
}

#[test]
fn parameters_out_of_range_are_named() {
    let error = |change: fn(&mut SamplerParams)| {
        let mut params = SamplerParams::default();
        change(&mut params);
        params.validate().unwrap_err().to_string()
    };
    assert_eq!(
        error(|p| p.top_p = 1.5),
        "sampler parameter `top_p`: expected a number from 0 to 1, found 1.5"
    );
    assert!(error(|p| p.temp = f32::NAN).contains("`temp`"));
    assert!(error(|p| p.repeat_last_n = -2).contains("`repeat_last_n`"));
    assert!(error(|p| p.repeat_penalty = 0.0).contains("`repeat_penalty`"));
    assert!(error(|p| p.logit_bias = vec![(1, f32::NAN)]).contains("token 1"));
    assert_eq!(SamplerParams::default().validate(), Ok(()));
}
