//! `ingle run`: one answer, or a chat.

use std::io::{self, IsTerminal, Read, Write};
use std::time::Duration;

use ingle::sampler::SamplerParams;
use ingle::{GrammarSpec, Message, Model, Request, SamplerDefaults, Usage};
use serde_json::json;

use crate::App;
use crate::answer::Answer;
use crate::choose::choose;
use crate::failure::Failure;
use crate::grammar::{self, GrammarArgs};
use crate::load::{self, LoadArgs};
use crate::mcp::{McpArgs, McpTools};
use crate::remote::{Asked, Remote};
use crate::repl;
use crate::sampling::{SamplingArgs, random_seed};
use crate::speaker::Speaker;
use crate::text;
use crate::tools::{self, NoTools, Tools};

/// Answer a prompt, or chat if there is none
#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Args {
    /// The model, if it is not the default one (see below)
    #[arg(value_name = "MODEL")]
    first: Option<String>,
    /// The prompt
    #[arg(value_name = "PROMPT")]
    second: Option<String>,
    /// The model; then all that may stand beside it is a prompt
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// System message
    #[arg(long, visible_alias = "sys", value_name = "TEXT")]
    system: Option<String>,
    /// Tokens to generate at most; -1 goes on until the model or the context ends
    #[arg(short = 'n', long, value_name = "N", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    max_tokens: i64,
    /// End the answer before this text; may be repeated
    #[arg(
        long,
        visible_short_alias = 'r',
        visible_alias = "reverse-prompt",
        value_name = "TEXT"
    )]
    stop: Vec<String>,
    /// No chat template: the model continues the prompt
    #[arg(long, conflicts_with_all = ["system", "chat_template", "chat_template_file", "chat_template_name", "mcp_config"])]
    raw: bool,
    /// Show special tokens in the answer
    #[arg(long)]
    special: bool,
    /// One JSON object in place of text: text, finish_reason, usage, timings, model
    #[arg(long)]
    json: bool,
    /// Times and rates of loading, reading and writing, on stderr
    #[arg(short, long)]
    verbose: bool,
    /// Ask a server that runs, which keeps its models loaded [default: what INGLE_HOST says, if it does]
    #[arg(long, value_name = "URL")]
    host: Option<String>,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    mcp: McpArgs,
    #[command(flatten)]
    grammar: GrammarArgs,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// What cannot be said in a line.
fn after_help() -> String {
    const WORDS: &str = "\
`ingle run \"Why is the sky blue?\"` asks the default model, `ingle run MODEL \"hi\"` another one;
`ingle run MODEL` and `ingle run` open a chat. A single word is a model if it is the path of a file,
a short name, user/repo[:QUANT] or a URL. Anything else, and whatever has a blank in it, is a prompt
for the default model; `--model` leaves no doubt. What is piped in is appended to the prompt, or is it.";
    format!("{WORDS}\n\n{}", crate::args::models_help())
}

/// How requests are made from what the user set.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) system: Option<String>,
    pub(crate) params: SamplerParams,
    /// None takes a new seed for each answer.
    pub(crate) seed: Option<u64>,
    /// None goes on until the model or the context ends.
    pub(crate) max_tokens: Option<usize>,
    pub(crate) stop: Vec<String>,
    pub(crate) keep_special: bool,
    pub(crate) ignore_eos: bool,
    /// Settings that were asked for, whatever their value; a server has values of its own for others.
    pub(crate) given: Vec<&'static str>,
    /// What answers must look like.
    pub(crate) grammar: Option<GrammarSpec>,
    pub(crate) raw: bool,
    pub(crate) verbose: bool,
}

impl Settings {
    /// Applies everything but the system message, which belongs to the conversation.
    pub(crate) fn request(&self, request: Request, seed: u64) -> Request {
        let params = SamplerParams {
            seed,
            ..self.params.clone()
        };
        let request = request.sampler(params).stop(self.stop.clone());
        let request = request.ignore_eos(self.ignore_eos);
        let request = request.keep_special(self.keep_special);
        let request = grammar::apply(request, self.grammar.as_ref());
        match self.max_tokens {
            Some(max_tokens) => request.max_tokens(max_tokens),
            None => request,
        }
    }
}

/// Runs the command.
pub(crate) fn run(app: &App, args: Args) -> Result<(), Failure> {
    let mut settings = settings(&args)?;
    let choice = choose(args.model, args.first, args.second)?;
    let prompt = whole_prompt(choice.prompt, args.raw)?;
    if prompt.is_none() && args.json {
        return Err(Failure::Usage(
            "`--json` needs a prompt\nhint: give one as an argument or through a pipe".to_owned(),
        ));
    }
    let host = args
        .host
        .clone()
        .or_else(|| std::env::var("INGLE_HOST").ok());
    let speaker = match host.filter(|host| !host.is_empty()) {
        Some(host) if args.load == LoadArgs::default() => {
            let name = choice.is_named.then_some(choice.model.as_str());
            Speaker::There(Remote::new(Some(&host))?.choose(name)?)
        }
        Some(host) => {
            return Err(Failure::Usage(format!(
                "the server at {host} loads its models as it was told to\nhint: without `--ctx`, `--threads` and their like, or with `INGLE_HOST=` and without `--host`"
            )));
        }
        None => Speaker::Here(load::model(app, &choice.model, &args.load)?),
    };
    if let Speaker::Here(model) = &speaker {
        settings.params = args.sampling.params(&model.info().sampler)?;
        check_bias(&settings.params, model)?;
        if !args.raw && model.chat_template().is_none() {
            return Err(Failure::new(format_args!(
                "`{}` has no chat template\nhint: `--raw` continues the prompt as it is; `--chat-template-file` names a template",
                choice.model
            )));
        }
    }
    let started = McpTools::start(&args.mcp)?;
    let tools: &dyn Tools = match &started {
        Some(tools) => tools,
        None => &NoTools,
    };
    match prompt {
        None => repl::run(app, &speaker, tools, settings),
        Some(prompt) => one_shot(app, &speaker, tools, &settings, &prompt, args.json),
    }
}

fn settings(args: &Args) -> Result<Settings, Failure> {
    Ok(Settings {
        system: args.system.clone(),
        // Once more with what the model recommends, when it is known; wrong usage is told before loading.
        params: args.sampling.params(&SamplerDefaults::default())?,
        seed: args.sampling.seed(),
        max_tokens: usize::try_from(args.max_tokens).ok(),
        stop: args.stop.clone(),
        keep_special: args.special,
        ignore_eos: args.sampling.ignore_eos,
        given: args.sampling.given(),
        grammar: args.grammar.spec()?,
        raw: args.raw,
        verbose: args.verbose,
    })
}

/// The prompt of the command line with what is piped in after it; none if the chat shall open.
fn whole_prompt(prompt: Option<String>, raw: bool) -> Result<Option<String>, Failure> {
    if io::stdin().is_terminal() {
        return Ok(prompt);
    }
    let mut piped = Vec::new();
    io::stdin()
        .read_to_end(&mut piped)
        .map_err(|error| Failure::new(format_args!("cannot read stdin: {error}")))?;
    let piped = String::from_utf8_lossy(&piped);
    match (prompt, piped.is_empty()) {
        (None, true) => Err(Failure::Usage(
            "no prompt: there is none among the arguments, and stdin is empty\nhint: the chat needs a terminal"
                .to_owned(),
        )),
        (None, false) if raw => Ok(Some(piped.into_owned())),
        (None, false) => Ok(Some(piped.trim_end().to_owned())),
        (Some(prompt), true) => Ok(Some(prompt)),
        // Without a template every character counts; with one, a blank line tells the two apart.
        (Some(prompt), false) if raw => Ok(Some(prompt + &piped)),
        (Some(prompt), false) => Ok(Some(format!("{prompt}\n\n{}", piped.trim_end()))),
    }
}

/// Checks biases against the vocabulary.
fn check_bias(params: &SamplerParams, model: &Model) -> Result<(), Failure> {
    let vocab_size = model.tokenizer().vocab_size();
    match params
        .logit_bias
        .iter()
        .find(|(id, _)| *id as usize >= vocab_size)
    {
        Some((id, _)) => Err(Failure::Usage(format!(
            "`--logit-bias`: expected a token id below {vocab_size}, found {id}"
        ))),
        None => Ok(()),
    }
}

fn one_shot(
    app: &App,
    speaker: &Speaker,
    tools: &dyn Tools,
    settings: &Settings,
    prompt: &str,
    json: bool,
) -> Result<(), Failure> {
    let seed = settings.seed.unwrap_or_else(random_seed);
    let mut out = io::stdout();
    let mut print = |piece: &str| match json {
        true => Ok(()),
        false => out.write_all(piece.as_bytes()).and_then(|()| out.flush()),
    };
    let answer = match settings.raw {
        true => speaker.answer(app, &Asked::Text(prompt), settings, seed, &mut print)?,
        false => {
            let system = settings.system.as_deref().map(Message::system);
            let mut turns: Vec<_> = system.into_iter().chain([Message::user(prompt)]).collect();
            tools::answer(app, speaker, tools, &mut turns, settings, seed, &mut print)?
        }
    };
    if !json && !answer.text.ends_with('\n') {
        writeln!(out)?;
    }
    if settings.verbose {
        report(app, speaker, &answer, Some(seed));
    }
    if json {
        writeln!(out, "{}", to_json(speaker, &answer, seed))?;
    }
    match answer.end {
        Some(_) => Ok(()),
        None => Err(Failure::Interrupted(None)),
    }
}

fn to_json(speaker: &Speaker, answer: &Answer, seed: u64) -> serde_json::Value {
    let load_time = speaker.model().map(|model| model.info().load_time);
    let ms = |time: Duration| text::round(time.as_secs_f64() * 1e3);
    let rate = |rate: Option<f64>| rate.map(text::round);
    let Some((reason, usage)) = &answer.end else {
        return json!({
            "model": speaker.name(),
            "text": answer.text,
            "finish_reason": "cancelled",
            "seed": seed,
        });
    };
    json!({
        "model": speaker.name(),
        "text": answer.text,
        "finish_reason": reason_name(*reason),
        "seed": seed,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "completion_tokens": usage.generated_tokens,
            "total_tokens": usage.prompt_tokens + usage.generated_tokens,
        },
        "timings": {
            "load_ms": load_time.map(ms),
            "prompt_ms": ms(usage.prompt_time),
            "prompt_per_second": rate(prompt_rate(usage)),
            "generation_ms": ms(usage.generation_time),
            "generation_per_second": rate(generation_rate(usage)),
        },
    })
}

/// `stop`, `length`: the variant's name in small letters, as OpenAI's API spells them.
fn reason_name(reason: ingle::FinishReason) -> String {
    format!("{reason:?}").to_lowercase()
}

/// Cached tokens cost no time, so they do not count.
fn prompt_rate(usage: &Usage) -> Option<f64> {
    text::rate(
        usage.prompt_tokens.saturating_sub(usage.cached_tokens),
        usage.prompt_time,
    )
}

/// The first token comes with the prompt's last step, so the time is that of the others.
fn generation_rate(usage: &Usage) -> Option<f64> {
    text::rate(
        usage.generated_tokens.saturating_sub(1),
        usage.generation_time,
    )
}

/// Times and rates, on stderr. Without a seed it was reported before.
pub(crate) fn report(app: &App, speaker: &Speaker, answer: &Answer, seed: Option<u64>) {
    let mut lines = Vec::new();
    let line = |tokens: usize, time, rate: Option<f64>| {
        let rate = rate.map_or(String::new(), |rate| format!(", {rate:.1} tokens/s"));
        format!("{tokens} tokens in {}{rate}", text::duration(time))
    };
    if let (Some(_), Speaker::Here(model)) = (seed, speaker) {
        let info = model.info();
        lines.push(format!(
            "load        {} ({}, {}, {} threads, {}, context {})",
            text::duration(info.load_time),
            info.name,
            text::bytes(info.file_bytes),
            info.num_threads,
            info.level,
            info.ctx,
        ));
        let recommended = info.sampler.iter().map(|(name, x)| format!("{name} {x}"));
        let recommended: Vec<_> = recommended.collect();
        if !recommended.is_empty() {
            let recommended = recommended.join(", ");
            lines.push(format!("sampler     the model recommends {recommended}"));
        }
    }
    if let Some(seed) = seed {
        lines.push(format!("seed        {seed}"));
    }
    if let Some((reason, usage)) = &answer.end {
        let cached = match usage.cached_tokens {
            0 => String::new(),
            cached => format!(" ({cached} of them cached)"),
        };
        let prompt = line(usage.prompt_tokens, usage.prompt_time, prompt_rate(usage));
        let rate = generation_rate(usage);
        let generation = line(usage.generated_tokens, usage.generation_time, rate);
        lines.push(format!("prompt      {prompt}{cached}"));
        lines.push(format!(
            "generation  {generation}, ended by {}",
            reason_name(*reason)
        ));
    }
    let mut err = io::stderr();
    for line in lines {
        let _ = writeln!(err, "{}", app.style.err_dim(&line));
    }
}
