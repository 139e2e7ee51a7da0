//! Chat templates: Jinja as Hugging Face sets it up, made safe to run on templates from anywhere.
//!
//! A model carries a Jinja template that turns a conversation into the text it was trained on. One
//! wrong blank costs quality silently, so the reference is exact: Jinja2 with `trim_blocks`,
//! `lstrip_blocks`, loop controls, the immutable sandbox, `raise_exception`, `strftime_now` and
//! Python's `tojson` (transformers, `utils/chat_template_utils.py`), and Python's way to print
//! values. `minijinja` parses and runs; operators, filters, tests and methods are ours, because
//! they have to be Python's and because each pays for the time and memory it takes ([`Limits`]).
//!
//! ```text
//! source ─guard► bounded text ─minijinja::parse► tree ─lower► metered tree ─codegen, VM► prompt
//! ```
//!
//! Left out on purpose: template inheritance and `include` (there is nothing to load from), HTML
//! auto-escaping, and the token mask that `{% generation %}` stands for in training.
//!
//! Where it is kinder than Jinja: the results of `map`, `select` and `dict.items()` are lists, so
//! they have a length and are valid for `tojson`. Where it is not Jinja: there is no unary plus,
//! and the line end after `{% raw %}` is dropped.

mod access;
mod args;
mod checks;
mod compare;
mod error;
mod filters;
mod format;
mod functions;
mod guard;
mod json;
mod limits;
mod lower;
mod methods;
mod ops;
mod print;
mod strftime;
mod text;
mod value;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use minijinja::machinery::{CodeGenerator, eval, make_string_output, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{AutoEscape, Environment, Error, State, Value};
use serde_json::Map;

use self::args::Args;
pub use self::error::TemplateError;
pub use self::limits::Limits;
use self::limits::{METER_VARIABLE, Meter, MeterSeed, meter};
pub use self::strftime::CivilTime;

/// The ChatML format, for models that come without a template. Nobody gets it unasked: a model
/// that was trained on another format would answer badly, and not say why.
pub const CHATML: &str = "\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
";

/// What a template is rendered with.
#[derive(Debug, Clone, Default)]
pub struct TemplateInput {
    /// The conversation: a list of objects with `role`, `content` and what else the template reads.
    pub messages: serde_json::Value,
    /// Tool definitions. Without any, the template sees the variable as undefined.
    pub tools: Option<serde_json::Value>,
    /// Whether the text shall end where the assistant begins to speak.
    pub add_generation_prompt: bool,
    /// Text of the vocabulary's BOS token; empty if it has none.
    pub bos_token: String,
    /// Text of the vocabulary's EOS token; empty if it has none.
    pub eos_token: String,
    /// Time that `strftime_now` shows; None is the system clock.
    pub now: Option<CivilTime>,
    /// Further template variables, such as `enable_thinking`. They win over those above.
    pub extra: Map<String, serde_json::Value>,
}

/// A template that has been read and found well-formed.
///
/// ```
/// use tokenizer::{ChatTemplate, TemplateInput};
///
/// let template = ChatTemplate::new("{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}")?;
/// let messages = serde_json::json!([{"role": "user", "content": "Hi"}]);
/// let text = template.render(&TemplateInput { messages, ..Default::default() })?;
/// assert_eq!(text, "[user] Hi");
/// # Ok::<(), tokenizer::TemplateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    limits: Limits,
}

impl ChatTemplate {
    /// Reads a template under the default [`Limits`].
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] with the line, or [`TemplateError::Limit`].
    pub fn new(source: &str) -> Result<Self, TemplateError> {
        Self::with_limits(source, Limits::default())
    }

    /// Reads a template under limits of the caller's.
    ///
    /// # Errors
    /// As for [`ChatTemplate::new`].
    pub fn with_limits(source: &str, limits: Limits) -> Result<Self, TemplateError> {
        if source.len() > limits.source_bytes {
            return Err(TemplateError::Limit {
                limit: format!("{} bytes of source", limits.source_bytes),
            });
        }
        // Jinja reads every line end as a newline and drops the last one.
        let source = source.replace("\r\n", "\n").replace('\r', "\n");
        let source = guard::prepare(&source, &syntax())?;
        let template = Self { source, limits };
        template.compile(|_| ())?;
        Ok(template)
    }

    /// The text for `input`.
    ///
    /// The compiled form borrows from the source, so it is made anew each time; that takes tens
    /// of microseconds, against an unsafe self-reference.
    ///
    /// # Errors
    /// [`TemplateError::Refused`] with the template's own words, and all other kinds but syntax.
    pub fn render(&self, input: &TemplateInput) -> Result<String, TemplateError> {
        let engine_error = |error: Error| TemplateError::from_engine(&error);
        let variables = variables(input, self.limits).map_err(engine_error)?;
        let mut env = ENVIRONMENT.clone();
        env.set_fuel(Some(self.limits.steps));
        env.set_recursion_limit(self.limits.recursion);
        let mut text = String::new();
        let result = self.compile(|code| {
            // The engine is not ours: should it panic on a template, that is the template's end.
            catch_unwind(AssertUnwindSafe(|| {
                let mut out = make_string_output(&mut text);
                let (blocks, escape) = (BTreeMap::new(), AutoEscape::None);
                eval(&env, code, variables, &blocks, &mut out, escape).map(|_| ())
            }))
        })?;
        match result {
            Ok(Ok(())) => Ok(text),
            Ok(Err(error)) => Err(engine_error(error)),
            Err(_) => Err(TemplateError::Operation {
                line: 0,
                message: "the template engine failed on this template".into(),
            }),
        }
    }

    /// Parses, lowers and compiles the source, and hands the code to `run`.
    fn compile<R>(
        &self,
        run: impl FnOnce(&minijinja::machinery::Instructions<'_>) -> R,
    ) -> Result<R, TemplateError> {
        let name = "chat_template";
        let tree = parse(&self.source, name, syntax())
            .map_err(|error| TemplateError::from_engine(&error))?;
        let tree = lower::lower(&tree)
            .map_err(|(line, message)| TemplateError::Syntax { line, message })?;
        let mut generator = CodeGenerator::new(name, &self.source);
        generator.compile_stmt(&tree);
        let (code, _) = generator.finish();
        Ok(run(&code))
    }
}

fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("the usual delimiters are valid")
}

fn variables(input: &TemplateInput, limits: Limits) -> Result<Value, Error> {
    let now = input.now.unwrap_or_else(CivilTime::now);
    let meter = Meter::new(limits, now);
    let mut all = vec![
        (
            Value::from("messages"),
            value::from_json(&input.messages, 0)?,
        ),
        (
            Value::from("add_generation_prompt"),
            Value::from(input.add_generation_prompt),
        ),
        (
            Value::from("bos_token"),
            Value::from(input.bos_token.as_str()),
        ),
        (
            Value::from("eos_token"),
            Value::from(input.eos_token.as_str()),
        ),
        (
            Value::from(METER_VARIABLE),
            Value::from_object(MeterSeed(meter)),
        ),
    ];
    if let Some(tools) = &input.tools {
        all.push((Value::from("tools"), value::from_json(tools, 0)?));
    }
    for (name, json) in &input.extra {
        if name != METER_VARIABLE {
            all.push((Value::from(name.as_str()), value::from_json(json, 0)?));
        }
    }
    Ok(Value::from_pairs(all))
}

/// What all templates share.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::empty();
    // With this on, errors say which expression was undefined.
    env.set_debug(true);
    env.set_formatter(|out, state, value| {
        let meter = meter(state);
        let text = print::to_text(meter, value)?;
        meter.output(text.len())?;
        Ok(out.write_str(&text)?)
    });
    env.set_unknown_method_callback(methods::call_method);
    filters::register(&mut env);
    checks::register(&mut env);
    functions::register(&mut env);
    register_lowered(&mut env);
    env
});

/// A filter, method or function of ours.
type Builtin = fn(&mut State<'_, '_>, Args) -> Result<Value, Error>;

fn add_filter(env: &mut Environment<'static>, name: &'static str, filter: Builtin) {
    env.add_filter(
        name,
        move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| filter(state, Args::new(args)),
    );
}

fn add_function(env: &mut Environment<'static>, name: &'static str, function: Builtin) {
    env.add_function(
        name,
        move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
            function(state, Args::new(args))
        },
    );
}

/// The filters that [`lower`] calls.
fn register_lowered(env: &mut Environment<'static>) {
    for symbol in lower::names::OPERATORS {
        env.add_filter(
            symbol,
            move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
                ops::binary(symbol, state, Args::new(args))
            },
        );
    }
    add_filter(env, lower::names::CHAIN, compare::chain);
    add_filter(env, lower::names::ITEM, access::item);
    add_filter(env, lower::names::FIELD, access::field);
    add_filter(env, lower::names::SLICE, access::slice);
    add_filter(env, lower::names::ITER, |state, args| {
        let args = args.names(&["value"])?;
        Ok(Value::from(value::items(meter(state), args.first()?)?))
    });
    add_filter(env, lower::names::STORE, |state, args| {
        let args = args.names(&["value"])?;
        value::check_depth(meter(state), args.first()?)?;
        Ok(args.first()?.clone())
    });
    add_filter(env, lower::names::ATTRIBUTE, |state, args| {
        let args = args.names(&["value"])?;
        value::check_attribute(meter(state), args.first()?)?;
        Ok(args.first()?.clone())
    });
}
