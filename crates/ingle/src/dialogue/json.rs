//! JSON (RFC 8259) byte by byte: where a value ends, and where it stops being one.

/// A value that is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonScan {
    /// Open brackets: true for objects.
    open: Vec<bool>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    /// A value must come.
    #[default]
    Value,
    /// Directly after `[`: a value or `]`.
    First,
    /// Directly after `{`: a name or `}`.
    FirstName,
    /// After a comma in an object.
    Name,
    Colon,
    /// After a value: comma or bracket.
    After,
    /// In a string; whether it is a name.
    Text {
        is_name: bool,
    },
    Escape {
        is_name: bool,
    },
    Unicode {
        is_name: bool,
        left: u8,
    },
    /// In a number, of which what has been read is one of these.
    Number(Number),
    /// In a word, with what is left of it.
    Word(&'static [u8]),
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

/// What a byte did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// It belongs to the value, which goes on.
    More,
    /// It was the last one.
    Done,
    /// It does not belong here.
    Bad,
}

/// Deeper values are refused, as `serde_json` does.
const MAX_DEPTH: usize = 120;

impl JsonScan {
    /// Takes the next byte. A number outside of brackets never is done: nothing says where it ends.
    pub(super) fn push(&mut self, byte: u8) -> Scan {
        let next = self.next(byte);
        let Some(state) = next else {
            return Scan::Bad;
        };
        self.state = state;
        if state == State::Done {
            Scan::Done
        } else {
            Scan::More
        }
    }

    fn next(&mut self, byte: u8) -> Option<State> {
        let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.state {
            State::Value
            | State::First
            | State::FirstName
            | State::Name
            | State::Colon
            | State::After
                if blank =>
            {
                Some(self.state)
            }
            State::First if byte == b']' => self.close(false),
            State::Value | State::First => self.value(byte),
            State::FirstName if byte == b'}' => self.close(true),
            State::FirstName | State::Name => {
                (byte == b'"').then_some(State::Text { is_name: true })
            }
            State::Colon => (byte == b':').then_some(State::Value),
            State::After => match (byte, self.open.last()?) {
                (b',', true) => Some(State::Name),
                (b',', false) => Some(State::Value),
                (b'}', true) => self.close(true),
                (b']', false) => self.close(false),
                _ => None,
            },
            State::Text { is_name } => match byte {
                b'"' if is_name => Some(State::Colon),
                b'"' => Some(self.after()),
                b'\\' => Some(State::Escape { is_name }),
                0..=0x1F => None,
                _ => Some(self.state),
            },
            State::Escape { is_name } => match byte {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                    Some(State::Text { is_name })
                }
                b'u' => Some(State::Unicode { is_name, left: 4 }),
                _ => None,
            },
            State::Unicode { is_name, left } => match (byte.is_ascii_hexdigit(), left) {
                (false, _) => None,
                (true, 1) => Some(State::Text { is_name }),
                (true, left) => Some(State::Unicode {
                    is_name,
                    left: left - 1,
                }),
            },
            State::Number(number) => match number.next(byte) {
                Some(number) => Some(State::Number(number)),
                None if number.may_end() && !self.open.is_empty() => {
                    self.state = State::After;
                    self.next(byte)
                }
                None => None,
            },
            State::Word(rest) => match rest.split_first() {
                Some((&want, [])) if want == byte => Some(self.after()),
                Some((&want, rest)) if want == byte => Some(State::Word(rest)),
                _ => None,
            },
            State::Done => None,
        }
    }

    fn value(&mut self, byte: u8) -> Option<State> {
        match byte {
            b'{' | b'[' if self.open.len() == MAX_DEPTH => None,
            b'{' => {
                self.open.push(true);
                Some(State::FirstName)
            }
            b'[' => {
                self.open.push(false);
                Some(State::First)
            }
            b'"' => Some(State::Text { is_name: false }),
            b't' => Some(State::Word(b"rue")),
            b'f' => Some(State::Word(b"alse")),
            b'n' => Some(State::Word(b"ull")),
            b'-' => Some(State::Number(Number::Minus)),
            b'0' => Some(State::Number(Number::Zero)),
            b'1'..=b'9' => Some(State::Number(Number::Whole)),
            _ => None,
        }
    }

    fn close(&mut self, is_object: bool) -> Option<State> {
        (self.open.pop()? == is_object).then(|| self.after())
    }

    fn after(&self) -> State {
        if self.open.is_empty() {
            State::Done
        } else {
            State::After
        }
    }
}

impl Number {
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Some(Self::Whole),
            (Self::Zero | Self::Whole, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::Sign),
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Some(Self::Power),
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Whole | Self::Fraction | Self::Power
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the scan ends, if it does; bytes until it is bad, if so.
    fn scan(text: &str) -> Result<Option<usize>, usize> {
        let mut scan = JsonScan::default();
        for (i, byte) in text.bytes().enumerate() {
            match scan.push(byte) {
                Scan::More => {}
                Scan::Done => return Ok(Some(i + 1)),
                Scan::Bad => return Err(i),
            }
        }
        Ok(None)
    }

    #[test]
    fn values_end_where_serde_json_says() {
        let values = [
            "{}",
            "[]",
            "\"a\\\"b\"",
            "{\"a\": [1, -0.5e+3, true, null, {\"b\": \"\\u00e9\\n\"}], \"c\":{}}",
            "[[],[ ]]",
            " [ 1 , 2 ] ",
            "true",
            "\"é\"",
        ];
        for value in values {
            assert!(serde_json::from_str::<serde_json::Value>(value).is_ok());
            assert_eq!(
                scan(&format!("{value} x")),
                Ok(Some(value.trim_end().len())),
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_bad_is_bad_at_the_right_byte() {
        let bad = [
            ("{a", 1),
            ("[1,]", 3),
            ("{\"a\" 1", 5),
            ("[01", 2),
            ("[1.e", 3),
            ("[-,", 2),
            ("\"\n", 1),
            ("\"\\x", 2),
            ("[tru]", 4),
            ("[}", 1),
            ("{\"a\":1]", 6),
            ("[\"\\u12g", 6),
            ("1 ", 1),
        ];
        for (text, at) in bad {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err() || text == "1 ");
            assert_eq!(scan(text), Err(at), "{text}");
        }
        assert!(scan(&"[".repeat(500)).is_err());
        assert_eq!(scan("[1, {\"a\""), Ok(None));
    }
}
