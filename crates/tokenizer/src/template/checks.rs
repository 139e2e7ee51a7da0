//! Jinja's tests, what may stand after `is`.

use minijinja::value::{ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};

use super::args::Args;
use super::error::operation;
use super::limits::meter;
use super::ops;
use super::value::{Number, is_list};

type Check = fn(&Value) -> bool;

/// Registers them.
pub(super) fn register(env: &mut Environment<'static>) {
    let simple = [
        ("defined", (|value| !value.is_undefined()) as Check),
        ("undefined", Value::is_undefined),
        ("none", Value::is_none),
        ("boolean", |value| value.kind() == ValueKind::Bool),
        ("true", |value| {
            value.kind() == ValueKind::Bool && value.is_true()
        }),
        ("false", |value| {
            value.kind() == ValueKind::Bool && !value.is_true()
        }),
        ("integer", Value::is_integer),
        ("float", |value| value.is_number() && !value.is_integer()),
        ("number", |value| Number::of(value).is_some()),
        ("string", |value| value.kind() == ValueKind::String),
        ("mapping", is_dict),
        ("sequence", iterable),
        ("iterable", iterable),
        // Jinja's Undefined and this engine's macros (maps to it) can be called.
        ("callable", |value| {
            value.is_undefined()
                || value.as_object().is_some_and(|object| {
                    object.repr() == ObjectRepr::Plain || object.type_name().ends_with("::Macro")
                })
        }),
        ("odd", |value| remainder(value, 2) == Some(1)),
        ("even", |value| remainder(value, 2) == Some(0)),
        ("lower", |value| {
            cased(value, char::is_lowercase, char::is_uppercase)
        }),
        ("upper", |value| {
            cased(value, char::is_uppercase, char::is_lowercase)
        }),
        ("escaped", |_| false),
        ("list", is_list),
    ];
    for (name, test) in simple {
        env.add_test(
            name,
            move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
                let args = Args::new(args).names(&["value"])?;
                let value = args.first()?;
                meter(state).work(value.as_str().map_or(0, str::len))?;
                Ok::<bool, Error>(test(value))
            },
        );
    }
    for (name, symbol) in [
        ("eq", "=="),
        ("equalto", "=="),
        ("sameas", "=="),
        ("ne", "!="),
        ("lt", "<"),
        ("lessthan", "<"),
        ("le", "<="),
        ("gt", ">"),
        ("greaterthan", ">"),
        ("ge", ">="),
        ("in", "in"),
    ] {
        env.add_test(
            name,
            move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
                Ok::<bool, Error>(ops::binary(symbol, state, Args::new(args))?.is_true())
            },
        );
    }
    env.add_test(
        "divisibleby",
        |_: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
            let args = Args::new(args).names(&["value", "num"])?;
            let divisor = args.int(1)?.filter(|&divisor| divisor != 0);
            let divisor = divisor.ok_or_else(|| operation("division by zero"))?;
            Ok::<bool, Error>(remainder(args.first()?, divisor.into()) == Some(0))
        },
    );
    env.add_test(
        "filter",
        |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
            let args = Args::new(args).names(&["value"])?;
            let name = args.text(0)?.unwrap_or_default().to_owned();
            let unknown = state.apply_filter(&name, &[]).err();
            Ok::<bool, Error>(
                unknown.is_none_or(|error| error.kind() != minijinja::ErrorKind::UnknownFilter),
            )
        },
    );
}

/// Macros and loops are maps to this engine, not to Jinja.
fn is_dict(value: &Value) -> bool {
    value.kind() == ValueKind::Map
        && value.as_object().is_some_and(|object| {
            let name = object.type_name();
            !(name.ends_with("::Macro")
                || name.ends_with("::Loop")
                || name.ends_with("::Namespace"))
        })
}

/// What Python can iterate over and, of that, has a length: the same here.
fn iterable(value: &Value) -> bool {
    matches!(
        value.kind(),
        ValueKind::String | ValueKind::Map | ValueKind::Undefined
    ) || is_list(value)
}

fn remainder(value: &Value, divisor: i128) -> Option<i128> {
    match Number::of(value)? {
        Number::Int(value) => value.checked_rem_euclid(divisor),
        Number::Float(value) => (value.fract() == 0.0)
            .then(|| (value as i128).checked_rem_euclid(divisor))
            .flatten(),
    }
}

fn cased(value: &Value, wanted: fn(char) -> bool, unwanted: fn(char) -> bool) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.chars().any(wanted) && !text.chars().any(unwanted))
}
