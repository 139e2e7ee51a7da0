//! Calls whose arguments stand in tags, as text: what type they are the tool's schema says.

use super::{Arguments, Head, Tagged, name};
use crate::dialogue::CallFormat;
use crate::dialogue::look::{Look, Stop};
use crate::dialogue::tools::Tool;
use crate::dialogue::typed::typed;

pub(super) fn head(format: CallFormat, look: &mut Look<'_>) -> Result<Head, Stop> {
    let name = if format == CallFormat::TaggedXml {
        look.take("<tool_call>")?;
        look.blanks();
        look.expect("<function=")?;
        let (name, _) = name(look, &[">"])?;
        look.expect(">")?;
        name
    } else {
        look.expect("<tool_call>")?;
        look.blanks();
        name(look, &["\n", "<arg_key>", "</tool_call>"])?.0
    };
    // Arguments or the end: else the tag was only mentioned.
    let (argument, end) = match format {
        CallFormat::TaggedXml => ("<parameter=", "</function>"),
        _ => ("<arg_key>", "</tool_call>"),
    };
    let mut ahead = *look;
    ahead.blanks();
    if !ahead.take(argument)? && !ahead.take(end)? {
        return Err(Stop::Bad);
    }
    Ok(Head {
        name: name.to_owned(),
        id: None,
        arguments: Arguments::Tagged,
    })
}

pub(super) fn argument(
    format: CallFormat,
    look: &mut Look<'_>,
    tool: Option<&Tool>,
) -> Result<Tagged, Stop> {
    look.blanks();
    let (name, value) = if format == CallFormat::TaggedXml {
        if look.take("</function>")? {
            return Ok(Tagged::End);
        }
        look.expect("<parameter=")?;
        let (key, _) = name(look, &[">"])?;
        look.expect(">")?;
        let (value, _) = look.until(&["</parameter>"])?;
        look.expect("</parameter>")?;
        let value = value.strip_prefix('\n').unwrap_or(value);
        (key, value.strip_suffix('\n').unwrap_or(value))
    } else {
        let mut ahead = *look;
        if ahead.take("</tool_call>")? {
            return Ok(Tagged::End);
        }
        look.expect("<arg_key>")?;
        let (key, _) = name(look, &["</arg_key>"])?;
        look.expect("</arg_key>")?;
        look.blanks();
        look.expect("<arg_value>")?;
        let (value, _) = look.until(&["</arg_value>"])?;
        look.expect("</arg_value>")?;
        (key, value)
    };
    let schema = tool.and_then(|tool| tool.argument(name));
    let key = serde_json::Value::from(name).to_string();
    Ok(Tagged::One(key, typed(value, schema).to_string()))
}
