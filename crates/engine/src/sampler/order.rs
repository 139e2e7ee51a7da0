//! The stages of the chain and the ways llama.cpp names them.

use super::params::ParamError;

/// One step of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Repetition, frequency and presence penalties.
    Penalties,
    /// Penalty on repeated sequences ("don't repeat yourself").
    Dry,
    /// Cut by standard deviations below the best logit.
    TopNSigma,
    /// Cut to the best k.
    TopK,
    /// Locally typical sampling.
    Typical,
    /// Nucleus sampling.
    TopP,
    /// Cut relative to the best probability.
    MinP,
    /// Exclude top choices.
    Xtc,
    /// Temperature, fixed or dynamic.
    Temperature,
}

/// Name, letter and other accepted names of each stage.
const NAMES: [(Stage, char, &[&str]); 9] = [
    (Stage::Penalties, 'e', &["penalties"]),
    (Stage::Dry, 'd', &["dry"]),
    (Stage::TopNSigma, 's', &["top_n_sigma", "top-n-sigma"]),
    (Stage::TopK, 'k', &["top_k", "top-k"]),
    (
        Stage::Typical,
        'y',
        &["typ_p", "typ-p", "typ", "typical_p", "typical-p", "typical"],
    ),
    (Stage::TopP, 'p', &["top_p", "top-p", "nucleus"]),
    (Stage::MinP, 'm', &["min_p", "min-p"]),
    (Stage::Xtc, 'x', &["xtc"]),
    (Stage::Temperature, 't', &["temperature", "temp"]),
];

impl Stage {
    /// llama.cpp's order.
    pub const DEFAULT_ORDER: [Self; 9] = [
        Self::Penalties,
        Self::Dry,
        Self::TopNSigma,
        Self::TopK,
        Self::Typical,
        Self::TopP,
        Self::MinP,
        Self::Xtc,
        Self::Temperature,
    ];

    /// llama.cpp's name, e.g. `top_k`.
    pub fn name(self) -> &'static str {
        let row = NAMES.iter().find(|(stage, ..)| *stage == self);
        row.expect("every stage has a row").2[0]
    }

    /// Reads names between semicolons, as `--samplers` takes them: `top_k;temperature`. Nothing
    /// reads as no stages, which leaves the model's own distribution.
    ///
    /// # Errors
    /// On an unknown name.
    pub fn parse_list(names: &str) -> Result<Vec<Self>, ParamError> {
        let names = names
            .split(';')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        names
            .map(|name| {
                let row = NAMES.iter().find(|(.., names)| names.contains(&name));
                row.map(|row| row.0)
                    .ok_or_else(|| unknown("samplers", name))
            })
            .collect()
    }

    /// Reads one letter per stage, as `--sampler-seq` takes them: `edskypmxt`.
    ///
    /// # Errors
    /// On an unknown letter.
    pub fn parse_letters(letters: &str) -> Result<Vec<Self>, ParamError> {
        letters
            .chars()
            .map(|c| {
                let row = NAMES.iter().find(|(_, letter, _)| *letter == c);
                row.map(|row| row.0)
                    .ok_or_else(|| unknown("sampler_seq", &c.to_string()))
            })
            .collect()
    }
}

fn unknown(field: &'static str, found: &str) -> ParamError {
    let expected = match field {
        "samplers" => {
            "penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc or temperature between `;`"
        }
        _ => "letters of `edskypmxt`",
    };
    ParamError {
        field,
        expected,
        found: format!("`{found}`"),
    }
}
