//! `/set`: the settings by name, under the names of the command line's flags.

use std::fmt::Write as _;
use std::str::FromStr;

use ingle::sampler::{Mirostat, Stage};

use crate::cmd::run::Settings;

/// One setting: how it is shown, and how it is read. Reading gives back what was expected if it fails.
struct Setting {
    name: &'static str,
    show: fn(&Settings) -> String,
    set: fn(&mut Settings, &str) -> Result<(), &'static str>,
}

/// A setting that is a plain number of [`ingle::SamplerParams`].
macro_rules! number {
    ($name:literal, $field:ident) => {
        Setting {
            name: $name,
            show: |settings| settings.params.$field.to_string(),
            set: |settings, text| {
                settings.params.$field = parse(text)?;
                Ok(())
            },
        }
    };
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "seed",
        show: |settings| {
            settings
                .seed
                .map_or("-1".to_owned(), |seed| seed.to_string())
        },
        set: |settings, text| {
            settings.seed = u64::try_from(parse::<i64>(text)?).ok();
            Ok(())
        },
    },
    Setting {
        name: "max-tokens",
        show: |settings| {
            settings
                .max_tokens
                .map_or("-1".to_owned(), |n| n.to_string())
        },
        set: |settings, text| {
            settings.max_tokens = usize::try_from(parse::<i64>(text)?).ok();
            Ok(())
        },
    },
    number!("temp", temp),
    number!("top-k", top_k),
    number!("top-p", top_p),
    number!("min-p", min_p),
    number!("typical", typ_p),
    number!("top-n-sigma", top_n_sigma),
    number!("xtc-probability", xtc_probability),
    number!("xtc-threshold", xtc_threshold),
    number!("repeat-last-n", repeat_last_n),
    number!("repeat-penalty", repeat_penalty),
    number!("presence-penalty", presence_penalty),
    number!("frequency-penalty", frequency_penalty),
    number!("dry-multiplier", dry_multiplier),
    number!("dry-base", dry_base),
    number!("dry-allowed-length", dry_allowed_length),
    number!("dry-penalty-last-n", dry_penalty_last_n),
    number!("dynatemp-range", dynatemp_range),
    number!("dynatemp-exp", dynatemp_exponent),
    Setting {
        name: "mirostat",
        show: |settings| match settings.params.mirostat {
            Mirostat::Off => "0".to_owned(),
            Mirostat::V1 => "1".to_owned(),
            Mirostat::V2 => "2".to_owned(),
        },
        set: |settings, text| {
            settings.params.mirostat = match text {
                "0" => Mirostat::Off,
                "1" => Mirostat::V1,
                "2" => Mirostat::V2,
                _ => return Err("0, 1 or 2"),
            };
            Ok(())
        },
    },
    number!("mirostat-lr", mirostat_eta),
    number!("mirostat-ent", mirostat_tau),
    number!("min-keep", min_keep),
    Setting {
        name: "samplers",
        show: |settings| {
            let names: Vec<_> = settings
                .params
                .samplers
                .iter()
                .map(|stage| stage.name())
                .collect();
            names.join(";")
        },
        set: |settings, text| {
            settings.params.samplers =
                Stage::parse_list(text).map_err(|_| "names of samplers between `;`")?;
            Ok(())
        },
    },
    Setting {
        name: "verbose",
        show: |settings| settings.verbose.to_string(),
        set: |settings, text| {
            settings.verbose = text.parse().map_err(|_| "true or false")?;
            Ok(())
        },
    },
];

/// Settings that a server has values of its own for, and what requests call them.
const FIELDS: [(&str, &str); 6] = [
    ("temp", "temperature"),
    ("top-k", "top_k"),
    ("top-p", "top_p"),
    ("min-p", "min_p"),
    ("typical", "typical_p"),
    ("repeat-penalty", "repeat_penalty"),
];

fn parse<T: FromStr>(text: &str) -> Result<T, &'static str> {
    text.parse().map_err(|_| "a number")
}

/// All names and values, a line each.
pub(super) fn show_all(settings: &Settings) -> String {
    SETTINGS.iter().fold(String::new(), |mut text, setting| {
        let _ = writeln!(text, "  {:<18} {}", setting.name, (setting.show)(settings));
        text
    })
}

/// Changes one setting, or none at all if the value is wrong. Returns how it now reads.
pub(super) fn set(settings: &mut Settings, name: &str, value: &str) -> Result<String, String> {
    let same = |setting: &&Setting| setting.name == name.trim_start_matches('-').replace('_', "-");
    let Some(setting) = SETTINGS.iter().find(same) else {
        return Err(format!("no setting `{name}`\nhint: /set shows all"));
    };
    let mut changed = settings.clone();
    (setting.set)(&mut changed, value)
        .map_err(|expected| format!("`{name}`: expected {expected}, found `{value}`"))?;
    changed
        .params
        .validate()
        .map_err(|error| error.to_string())?;
    if let Some(field) = FIELDS.iter().find(|(name, _)| *name == setting.name) {
        changed.given.push(field.1);
    }
    *settings = changed;
    Ok(format!("{} {}", setting.name, (setting.show)(settings)))
}

#[cfg(test)]
mod tests {
    use ingle::SamplerParams;

    use super::*;

    fn settings() -> Settings {
        Settings {
            system: None,
            params: SamplerParams::default(),
            seed: None,
            max_tokens: None,
            stop: Vec::new(),
            keep_special: false,
            ignore_eos: false,
            given: Vec::new(),
            grammar: None,
            raw: false,
            verbose: false,
        }
    }

    #[test]
    fn values_are_set_and_shown() {
        let mut settings = settings();
        assert_eq!(set(&mut settings, "temp", "0.2"), Ok("temp 0.2".to_owned()));
        assert_eq!(settings.params.temp, 0.2);
        assert!(
            set(&mut settings, "top_k", "5").is_ok(),
            "underscores are fine"
        );
        assert!(set(&mut settings, "seed", "7").is_ok() && settings.seed == Some(7));
        assert!(set(&mut settings, "seed", "-1").is_ok() && settings.seed.is_none());
        assert!(show_all(&settings).contains("top-k              5\n"));
    }

    #[test]
    fn a_wrong_value_changes_nothing() {
        let mut settings = settings();
        for (name, value) in [
            ("top-p", "2"),
            ("temp", "warm"),
            ("colour", "red"),
            ("samplers", "x"),
        ] {
            assert!(set(&mut settings, name, value).is_err(), "{name} {value}");
        }
        assert_eq!(settings.params, SamplerParams::default());
    }

    /// Whatever is shown can be set.
    #[test]
    fn every_setting_reads_what_it_shows() {
        for setting in SETTINGS {
            let shown = (setting.show)(&settings());
            assert!(
                set(&mut settings(), setting.name, &shown).is_ok(),
                "{}",
                setting.name
            );
        }
    }
}
