//! The chain as a whole.

use std::collections::BTreeMap;

use super::*;

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
        sampler.candidates.len()
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

/// A mask that allows everything makes a list of all tokens at once; without it the row is kept as long as possible.
#[test]
fn rows_and_lists_choose_alike() {
    let mut rng = Rng::new(17);
    let mut pick = |n: usize| (rng.uniform() * n as f64) as usize;
    for round in 0..400 {
        let n = [1, 7, 64, 65, 500, 3000][pick(6)];
        let mut logits = logits(n, round);
        match pick(8) {
            0 => logits.iter_mut().for_each(|logit| *logit = logit.round()),
            1 => logits.fill(f32::NAN),
            2 => logits[pick(n)] = f32::INFINITY,
            3 => logits[pick(n)] = f32::NAN,
            4 => logits.fill(0.5),
            _ => {}
        }
        let mut samplers = Stage::DEFAULT_ORDER.to_vec();
        if pick(3) == 0 {
            samplers.rotate_left(pick(9));
        }
        let params = SamplerParams {
            samplers,
            seed: round,
            min_keep: [0, 0, 3][pick(3)],
            temp: [0.0, 0.8, 1.7][pick(3)],
            dynatemp_range: [0.0, 0.0, 0.5][pick(3)],
            top_k: [0, 1, 5, 40, 10_000][pick(5)],
            top_p: [1.0, 0.95, 0.3][pick(3)],
            min_p: [0.0, 0.05][pick(2)],
            typ_p: [1.0, 1.0, 0.7][pick(3)],
            top_n_sigma: [-1.0, 1.0][pick(2)],
            xtc_probability: [0.0, 0.5][pick(2)],
            repeat_penalty: [1.0, 1.3][pick(2)],
            dry_multiplier: [0.0, 0.8][pick(2)],
            mirostat: [Mirostat::Off, Mirostat::Off, Mirostat::V1, Mirostat::V2][pick(4)],
            logit_bias: vec![(0, 2.0); pick(2)],
            logprobs: [None, Some(0), Some(5)][pick(3)],
            ..Default::default()
        };
        let history: Vec<u32> = (0..30).map(|_| pick(n.min(9)) as u32).collect();
        let new = || Sampler::new(&params, n, DryBreakers::default()).unwrap();
        let (mut by_row, mut by_list) = (new(), new());
        let all = vec![u32::MAX; n.div_ceil(32)];
        for _ in 0..4 {
            assert_eq!(
                by_row.sample(&logits, &history),
                by_list.sample_among(&logits, &history, Some(&all), &[]),
                "{params:?}"
            );
            assert_eq!(by_row.candidates.list(), by_list.candidates.list());
        }
    }
}

#[test]
fn tokens_by_name_are_reported_wherever_they_rank() {
    let logits = logits(200, 4);
    let report = |logprobs, tokens: &[u32]| {
        let params = SamplerParams {
            logprobs,
            logprob_tokens: tokens.to_vec(),
            ..Default::default()
        };
        let mut sampler = Sampler::new(&params, 200, DryBreakers::default()).unwrap();
        sampler.sample(&logits, &[]).top_logprobs
    };
    let all = report(Some(200), &[]);
    let of = |id: u32| *all.iter().find(|(found, _)| *found == id).unwrap();
    // Token 3 is banned: minus infinity.
    assert_eq!(report(Some(0), &[7, 3, 100]), [7, 3, 100].map(of));
    let expected = [&all[..2], &[of(7), of(100)]].concat();
    assert_eq!(report(Some(2), &[7, 100]), expected);
    assert_eq!(report(None, &[7]), []);
}
