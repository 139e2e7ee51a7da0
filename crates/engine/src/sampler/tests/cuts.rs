//! Samplers that drop candidates.

use super::*;

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
            candidates.len() == 3
        })
        .count();
    assert!((2800..3200).contains(&acted), "{acted}");
}
