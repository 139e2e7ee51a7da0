//! The byte-level alphabet of GPT-2: every byte written as one printable character.
//!
//! Bytes that print as themselves in Latin-1 keep their character; the other 68 take U+0100 onwards, in
//! order. A space becomes `Ġ`, a newline `Ċ`. Radford et al. 2019, `encoder.py` of the GPT-2 release.

/// The character that stands for `byte`.
pub(crate) fn char_of(byte: u8) -> char {
    match byte {
        b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => char::from(byte),
        // The 68 others, by rank: 0x00..=0x20 are 0..=32, 0x7f..=0xa0 are 33..=66, 0xad is 67.
        0x00..=0x20 => shifted(u32::from(byte)),
        0x7f..=0xa0 => shifted(33 + u32::from(byte - 0x7f)),
        0xad => shifted(67),
    }
}

/// The byte that `c` stands for, if it is in the alphabet.
pub(crate) fn byte_of(c: char) -> Option<u8> {
    Some(match u32::from(c) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => code as u8,
        code @ 0x100..=0x120 => (code - 0x100) as u8,
        code @ 0x121..=0x142 => (code - 0x121) as u8 + 0x7f,
        0x143 => 0xad,
        _ => return None,
    })
}

/// Appends the bytes that a token text stands for; characters outside the alphabet stand for themselves.
pub(crate) fn decode(text: &str, bytes: &mut Vec<u8>) {
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn shifted(rank: u32) -> char {
    char::from_u32(0x100 + rank).expect("0x100..0x144 are letters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_own_character() {
        for byte in 0..=255 {
            assert_eq!(byte_of(char_of(byte)), Some(byte));
        }
        assert_eq!(char_of(b' '), 'Ġ');
        assert_eq!(char_of(b'\n'), 'Ċ');
        assert_eq!(char_of(0xad), 'Ń');
        assert_eq!(byte_of('…'), None);
    }
}
