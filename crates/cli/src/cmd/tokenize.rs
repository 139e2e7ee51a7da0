//! `ingle tokenize`: text to token ids.

use std::io::{self, BufWriter, IsTerminal, Read, Write};

use ingle::Tokenizer;

use crate::App;
use crate::failure::Failure;
use crate::load;

/// Show the tokens of a text
///
/// One `id -> 'piece'` a line. Needs no weights: a file that holds a vocabulary only will do.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The model whose tokenizer it is
    #[arg(value_name = "MODEL")]
    model: String,
    /// The text; `-`, or nothing where something is piped in, reads stdin as it is
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// The ids as a JSON array
    #[arg(long)]
    json: bool,
    /// Put no BOS, EOS, CLS or SEP around the text
    #[arg(long)]
    no_add_special: bool,
    /// Read the names of special tokens in the text as plain text
    #[arg(long)]
    no_parse_special: bool,
}

/// Runs the command.
pub(crate) fn run(app: &App, args: &Args) -> Result<(), Failure> {
    let text = match args.text.as_deref() {
        Some(text) if text != "-" => text.to_owned(),
        None if io::stdin().is_terminal() => {
            return Err(Failure::Usage(
                "no text\nhint: `ingle tokenize MODEL TEXT`, or pipe a text into it".to_owned(),
            ));
        }
        _ => read_stdin()?,
    };
    let tokenizer = load::files(app, &args.model)?.tokenizer(None)?;
    let ids = tokenizer.encode(&text, !args.no_add_special, !args.no_parse_special);
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        writeln!(out, "{}", serde_json::Value::from(ids))?;
    } else {
        for id in ids {
            writeln!(out, "{id:>6} -> '{}'", piece(&tokenizer, id))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Exactly the bytes that come; they must be UTF-8, a tokenizer has no other input.
fn read_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(format_args!("cannot read stdin: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(format_args!(
            "stdin: expected UTF-8 text, found another byte at offset {at}"
        ))
    })
}

/// What the token stands for, on one line.
fn piece(tokenizer: &Tokenizer, id: u32) -> String {
    let bytes = tokenizer.token_bytes(id);
    let mut piece = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c.is_control() {
                true => piece.extend(c.escape_default()),
                false => piece.push(c),
            }
        }
        for byte in chunk.invalid() {
            piece += &format!("\\x{byte:02x}");
        }
    }
    piece
}
