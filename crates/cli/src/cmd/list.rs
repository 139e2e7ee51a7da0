//! `ingle list`: what is on this disk.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ingle::hub::{DEFAULT_MODEL, Hub, Inventory, StoredModel};
use serde_json::json;

use crate::App;
use crate::failure::Failure;
use crate::text::{self, Align};

/// List the models in the cache, and downloads that are not finished
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A JSON object: cache, models, incomplete
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let hub = Hub::from_env()?;
    let found = hub.list();
    let mut out = io::stdout();
    if args.json {
        let value = to_json(&found, &hub.config().cache_dir.display().to_string());
        writeln!(out, "{value:#}")?;
        return Ok(());
    }
    if found.models.is_empty() && found.incomplete.is_empty() {
        let note = format!(
            "no models in {}\n{} `ingle pull {DEFAULT_MODEL}` fetches one",
            hub.config().cache_dir.display(),
            app.style.err_hint("hint:"),
        );
        let _ = writeln!(io::stderr(), "{note}");
        return Ok(());
    }
    let table = to_table(&found);
    let (heading, rows) = table.split_once('\n').unwrap_or((&table, ""));
    write!(out, "{}\n{rows}", app.style.heading(heading))?;
    Ok(())
}

fn to_table(found: &Inventory) -> String {
    let mut rows = vec![["NAME", "SIZE", "MODIFIED", ""].map(str::to_owned).to_vec()];
    for model in &found.models {
        let short = short_name(model).map_or(String::new(), |name| format!("= {name}"));
        let (size, age) = (text::bytes(model.bytes), age(model.modified));
        rows.push(vec![model.name.clone(), size, age, short]);
    }
    for left in &found.incomplete {
        let (size, age) = (text::bytes(left.bytes), age(left.modified));
        rows.push(vec![
            left.source.clone(),
            size,
            age,
            "(incomplete)".to_owned(),
        ]);
    }
    text::table(
        &[Align::Left, Align::Right, Align::Left, Align::Left],
        &rows,
    )
}

fn to_json(found: &Inventory, cache: &str) -> serde_json::Value {
    let seconds = |time: Option<SystemTime>| {
        time.and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .map(|time| time.as_secs())
    };
    let models = found.models.iter().map(|model| {
        json!({
            "name": model.name,
            "short_name": short_name(model),
            "source": model.source,
            "quant": model.quant,
            "size": model.bytes,
            "modified": seconds(model.modified),
            "files": model.files,
        })
    });
    let incomplete = found.incomplete.iter().map(|left| {
        json!({
            "source": left.source,
            "size": left.bytes,
            "modified": seconds(left.modified),
            "path": left.path,
        })
    });
    json!({
        "cache": cache,
        "models": models.collect::<Vec<_>>(),
        "incomplete": incomplete.collect::<Vec<_>>(),
    })
}

/// The short name that means exactly this model.
fn short_name(model: &StoredModel) -> Option<&'static str> {
    let file = model.files.first()?.file_name()?.to_str()?;
    let same = |wanted: &str, found: &str| wanted.eq_ignore_ascii_case(found);
    let entry = ingle::hub::CATALOGUE.iter().find(|entry| {
        let tag = if entry.tag.is_empty() {
            "Q4_K_M"
        } else {
            entry.tag
        };
        let is_quant = model.quant.as_deref().is_some_and(|quant| same(tag, quant));
        let is_packaged = entry
            .package
            .is_some_and(|package| same(package.file, file));
        same(entry.repo, &model.source) && (is_quant || is_packaged || same(tag, file))
    });
    entry.map(|entry| entry.name)
}

/// `3 hours ago`.
fn age(time: Option<SystemTime>) -> String {
    let Some(age) = time.and_then(|time| time.elapsed().ok()) else {
        return String::new();
    };
    const UNITS: [(u64, &str); 5] = [
        (604_800, "week"),
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let seconds = age.max(Duration::from_secs(1)).as_secs();
    let (unit, name) = UNITS
        .into_iter()
        .find(|(unit, _)| seconds >= *unit)
        .unwrap_or((1, "second"));
    let count = seconds / unit;
    format!("{count} {name}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_well() {
        let ago = |seconds| age(SystemTime::now().checked_sub(Duration::from_secs(seconds)));
        assert_eq!(ago(0), "1 second ago");
        assert_eq!(ago(7300), "2 hours ago");
        assert_eq!(ago(86_400 * 8), "1 week ago");
        assert_eq!(age(None), "");
    }
}
