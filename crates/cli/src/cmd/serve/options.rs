//! Flags to the options of a server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ingle::hub::{Config, Hub, ModelRef};
use ingle::{Guesses, SamplerDefaults};
use serde_json::json;
use server::Options;

use super::args::{Args, Object, ReplyArgs};
use crate::App;
use crate::failure::Failure;
use crate::load;
use crate::progress::Download;

/// A time that never comes.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What the flags ask for.
///
/// # Errors
/// Flags that contradict each other, and files that cannot be read.
pub(super) fn options(app: &App, args: &Args) -> Result<Options, Failure> {
    let interrupt = app.interrupt.clone();
    let settings = load_settings(args)?;
    let (http, replies) = (&args.http, &args.replies);
    // Wrong values are told before anything is loaded.
    let sampling = args.sampling.clone();
    sampling.params(&SamplerDefaults::default())?;
    let model = model(args)?;
    let hub = match args.offline {
        true => Some(offline(model.as_deref())?),
        false => None,
    };
    let seconds = |seconds: i64| u64::try_from(seconds).ok().map(Duration::from_secs);
    Ok(Options {
        host: http.host.clone(),
        port: http.port,
        model,
        aliases: args.alias.clone(),
        strict_model: args.strict_model,
        models_dir: args.models_dir.clone(),
        hub,
        max_models: match args.models_max {
            0 => usize::MAX,
            most => most,
        },
        memory: args.load.memory,
        idle: seconds(args.sleep_idle_seconds),
        configure: Arc::new(move |builder| settings(builder).progress(Download::new(&interrupt))),
        parallel: usize::try_from(args.parallel).unwrap_or(ingle::DEFAULT_PARALLEL),
        max_queue: http.max_queue,
        api_keys: api_keys(&http.api_key, http.api_key_file.as_deref())?,
        allowed_origins: http.cors_origins.clone(),
        allowed_hosts: http.allowed_hosts.clone(),
        metrics: http.metrics,
        slots: !http.no_slots,
        props: http.props,
        slot_save_path: http.slot_save_path.clone(),
        ui: !http.no_ui,
        prefix: prefix(&http.api_prefix)?,
        max_body: usize::try_from(http.max_body).unwrap_or(usize::MAX),
        seed: args.sampling.seed(),
        ignore_eos: args.sampling.ignore_eos,
        sampler: Arc::new(move |params| {
            let seed = params.seed;
            *params = sampling.over(params);
            params.seed = seed;
        }),
        max_tokens: usize::try_from(replies.n_predict).ok(),
        reasoning: replies.reasoning_format != "none",
        reasoning_budget: replies
            .reasoning_budget
            .and_then(|n| usize::try_from(n).ok()),
        reasoning_budget_message: replies.reasoning_budget_message.clone(),
        guesses: Guesses {
            min: args.spec_draft_n_min,
            max: args.spec_draft_n_max.unwrap_or(usize::MAX),
        },
        template_variables: variables(replies),
        pooling: replies.pooling,
        mcp: None,
        mcp_auto: replies.mcp_auto,
        drain: Duration::from_secs(http.drain),
        ping: seconds(http.sse_ping_interval).unwrap_or(NEVER),
        patience: Duration::from_secs(http.timeout),
    })
}

/// The name of the model, however it is given.
fn model(args: &Args) -> Result<Option<String>, Failure> {
    if let (Some(repo), Some(file)) = (&args.hf_repo, &args.hf_file) {
        let repo = repo.split(':').next().unwrap_or(repo);
        return Ok(Some(format!("{repo}:{file}")));
    }
    let path = args.model_flag.as_ref().map(|model| {
        // llama-server takes paths here: `models/x` may look like a repository.
        let is_path = matches!(ModelRef::parse(model), Ok(ModelRef::Path(_)));
        match !is_path && Path::new(model).exists() {
            true => format!("./{model}"),
            false => model.clone(),
        }
    });
    let named = path.or_else(|| args.model.clone());
    Ok(named
        .or_else(|| args.hf_repo.clone())
        .or_else(|| args.model_url.clone()))
}

fn load_settings(
    args: &Args,
) -> Result<impl Fn(ingle::ModelBuilder) -> ingle::ModelBuilder + Send + Sync + use<>, Failure> {
    let mut load = args.load.clone();
    // llama-server's 0 is the model's own.
    load.ctx = load.ctx.filter(|&ctx| ctx > 0);
    let default = Some(load.threads);
    if args.threads_batch.is_some() && Some(args.threads_batch) != default && load.threads.is_some()
    {
        return Err(Failure::Usage("`--threads-batch`: the same threads compute prompts and replies\nhint: `--threads` alone".to_owned()));
    }
    load.threads = load.threads.or(args.threads_batch);
    match (args.cache_type_k, args.cache_type_v) {
        (None, None) => {}
        (Some(keys), Some(values)) if keys == values => load.kv_type = keys,
        _ => {
            let message = "`--cache-type-k` and `--cache-type-v`: keys and values are kept as the same type\nhint: give both";
            return Err(Failure::Usage(message.to_owned()));
        }
    }
    for kind in &args.spec_type {
        match kind.as_str() {
            "none" => load.no_speculation = true,
            kind if kind.starts_with("ngram-") => {}
            // Both guess where there is a draft model.
            "draft-simple" if load.draft.is_some() => {}
            other => {
                return Err(Failure::Usage(format!(
                    "`--spec-type`: expected `none`, `ngram-…` or, with `--draft`, `draft-simple`, found `{other}`"
                )));
            }
        }
    }
    let (settings, cache) = (load.settings()?, u64::try_from(args.cache_ram).ok());
    Ok(move |builder| {
        let builder = settings(builder);
        match cache {
            Some(mib) => builder.prefix_cache(mib << 20),
            None => builder,
        }
    })
}

/// Settings without a network. The model is found on this disk, so that loading it asks none: what is there is not asked
/// for.
fn offline(name: Option<&str>) -> Result<Config, Failure> {
    let mut config = Config::from_env()?;
    config.offline = true;
    if let Some(name) = name {
        let reference = ModelRef::parse(name)?;
        Hub::new(config.clone()).resolve_local(&reference)?;
    }
    Ok(config)
}

/// Keys of the flags, and of the file.
fn api_keys(given: &[String], file: Option<&Path>) -> Result<Vec<String>, Failure> {
    let mut keys = given.to_vec();
    if let Some(path) = file {
        let text = load::read_text(path)?;
        let lines = text.lines().map(str::trim);
        let found: Vec<_> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        if found.is_empty() {
            // Whoever names a file wants keys: without one everybody would be let in.
            return Err(Failure::new(format_args!(
                "`{}`: there is no key in it",
                path.display()
            )));
        }
        keys.extend(found.into_iter().map(str::to_owned));
    }
    Ok(keys)
}

/// `/llm`, however many slashes it is written with.
fn prefix(given: &str) -> Result<String, Failure> {
    let inner = given.trim_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./~".contains(&b);
    match inner {
        "" => Ok(String::new()),
        _ if inner.bytes().all(plain) => Ok(format!("/{inner}")),
        _ => Err(Failure::Usage(format!(
            "`--api-prefix`: expected letters, digits and slashes, found `{given}`"
        ))),
    }
}

/// Variables for chat templates.
fn variables(replies: &ReplyArgs) -> Object {
    let mut variables = Object::new();
    match (replies.reasoning.as_str(), replies.reasoning_budget) {
        ("off", _) | (_, Some(0)) => variables.insert("enable_thinking".into(), json!(false)),
        ("on", _) => variables.insert("enable_thinking".into(), json!(true)),
        _ => None,
    };
    if let Some(effort) = &replies.reasoning_effort {
        variables.insert("reasoning_effort".into(), json!(effort));
    }
    variables.extend(replies.chat_template_kwargs.clone().unwrap_or_default());
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_written_with_one_slash() {
        for (given, expected) in [("", ""), ("/", ""), ("llm", "/llm"), ("/a/b/", "/a/b")] {
            assert_eq!(prefix(given).ok().as_deref(), Some(expected));
        }
        assert!(prefix("/{x}").is_err() && prefix("a b").is_err());
    }
}
