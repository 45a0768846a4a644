//! Lists of parameters, as several headers have them.

use std::borrow::Cow;

/// Splits at `separator` where it is not within double quotes. Empty parts are left out; others are trimmed.
pub(crate) fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let plain = !escaped;
        escaped = quoted && plain && c == '\\';
        quoted ^= plain && c == '"';
        c == separator && !quoted
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

/// A parameter's name, and its value without quotes; `None` where it has none.
pub(crate) fn name_and_value(parameter: &str) -> (&str, Option<Cow<'_, str>>) {
    match parameter.split_once('=') {
        Some((name, value)) => (name.trim(), Some(unquoted(value.trim()))),
        None => (parameter.trim(), None),
    }
}

fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"') else {
        return Cow::Borrowed(value);
    };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        // Only what has to be escaped is: a realm may name a Windows domain as it is.
        match chars.as_str().chars().next() {
            Some(next @ ('"' | '\\')) if c == '\\' => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The value in double quotes.
pub(crate) fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameter(text: &str) -> (&str, Option<String>) {
        let (name, value) = name_and_value(text);
        (name, value.map(Cow::into_owned))
    }

    #[test]
    fn separators_within_quotes_are_none() {
        let parts: Vec<_> = split_unquoted(r#"a="1,2" , ,b=3,c"#, ',').collect();
        assert_eq!(parts, [r#"a="1,2""#, "b=3", "c"]);
        assert_eq!(parameter(parts[0]), ("a", Some("1,2".into())));
        assert_eq!(parameter("b = 3"), ("b", Some("3".into())));
        assert_eq!(parameter("c"), ("c", None));
        assert_eq!(parameter(r#"d=""#), ("d", Some("".into())));
    }

    #[test]
    fn backslashes_that_escape_nothing_stay() {
        assert_eq!(parameter(r#"a="LAN\cam""#).1.unwrap(), r"LAN\cam");
        assert_eq!(parameter(r#"a="say \"x\"""#).1.unwrap(), r#"say "x""#);
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_one_part_and_reads_as_it_was(value in "\\PC{0,20}") {
            let text = format!("a={},b=1", quoted(&value));
            let parts: Vec<_> = split_unquoted(&text, ',').collect();
            prop_assert_eq!(parts.len(), 2, "{}", text);
            prop_assert_eq!(parameter(parts[0]).1.unwrap(), value);
        }
    }
}
