//! The parameters of `fmtp`: names and values between semicolons.

/// The parameters of one `fmtp` line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameters<'a>(pub(super) &'a str);

impl<'a> Parameters<'a> {
    /// The value of the first parameter with this name, whatever its case; empty where it has none. Quotes are taken off.
    pub(super) fn get(self, name: &str) -> Option<&'a str> {
        let named = |parameter: &'a str| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            key.trim().eq_ignore_ascii_case(name).then_some(value)
        };
        self.0.split(';').find_map(named)
    }

    /// The value as a number; `None` where it is none.
    pub(super) fn number<N: std::str::FromStr>(self, name: &str) -> Option<N> {
        self.get(name)?.parse().ok()
    }

    /// The value as bytes in hexadecimal digits; `None` where it is missing, empty or has others.
    pub(super) fn hex(self, name: &str) -> Option<Vec<u8>> {
        let value = self.get(name)?.as_bytes();
        let digit = |byte: &u8| (*byte as char).to_digit(16).map(|digit| digit as u8);
        let pair = |pair: &[u8]| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            // An odd digit at the end is taken for the upper half of a byte.
            [high] => Some(digit(high)? << 4),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = value.chunks(2).map(pair).collect();
        bytes.filter(|bytes| !bytes.is_empty())
    }
}

/// Appends a parameter behind others.
pub(super) fn push(to: &mut String, name: &str, value: impl std::fmt::Display) {
    use std::fmt::Write as _;
    if !to.is_empty() {
        to.push(';');
    }
    // Writing to a string does not fail.
    let _ = write!(to, "{name}={value}");
}

/// Bytes in hexadecimal digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
