//! SPDX licence expressions (SPDX 2.3, annex D), and whether one can be met from a list of permitted licences.

/// Whether the licence can be met with the permitted ones alone: one side of each `OR`, both of each `AND`.
///
/// The old form `MIT/Apache-2.0` means `OR`. An exception counts as part of the name: `Apache-2.0 WITH LLVM-exception`.
///
/// # Errors
///
/// Where the expression cannot be parsed.
pub(crate) fn can_be_met(
    expression: &str,
    permitted: impl Fn(&str) -> bool,
) -> Result<bool, String> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut parser = Parser {
        words: spaced.split_whitespace().peekable(),
        permitted,
    };
    let met = parser.alternatives()?;
    match parser.words.next() {
        None => Ok(met),
        Some(word) => Err(format!("unexpected {word:?}")),
    }
}

struct Parser<'a, P> {
    words: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
    permitted: P,
}

impl<P: Fn(&str) -> bool> Parser<'_, P> {
    fn alternatives(&mut self) -> Result<bool, String> {
        let mut met = self.conjunction()?;
        while self.words.next_if_eq(&"OR").is_some() {
            met |= self.conjunction()?;
        }
        Ok(met)
    }

    fn conjunction(&mut self) -> Result<bool, String> {
        let mut met = self.term()?;
        while self.words.next_if_eq(&"AND").is_some() {
            met &= self.term()?;
        }
        Ok(met)
    }

    fn term(&mut self) -> Result<bool, String> {
        match self.words.next() {
            None => Err("it ends where a licence is expected".to_owned()),
            Some("(") => {
                let met = self.alternatives()?;
                self.words
                    .next_if_eq(&")")
                    .map(|_| met)
                    .ok_or_else(|| "a parenthesis is not closed".to_owned())
            }
            Some(word @ (")" | "OR" | "AND" | "WITH")) => {
                Err(format!("{word:?} where a licence is expected"))
            }
            Some(name) => match self.words.next_if_eq(&"WITH") {
                None => Ok((self.permitted)(name)),
                Some(_) => {
                    let exception = self.words.next().ok_or("WITH without an exception")?;
                    Ok((self.permitted)(&format!("{name} WITH {exception}")))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(expression: &str) -> bool {
        can_be_met(expression, |name| {
            ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].contains(&name)
        })
        .unwrap()
    }

    #[test]
    fn one_side_of_or_and_both_of_and() {
        assert!(met("MIT"));
        assert!(!met("GPL-3.0-only"));
        assert!(met("GPL-3.0-only OR MIT"));
        assert!(!met("GPL-3.0-only AND MIT"));
        assert!(met("MIT/Apache-2.0"));
        assert!(met("GPL-3.0-only/MIT"));
    }

    #[test]
    fn and_binds_closer_than_or_and_parentheses_closer_still() {
        assert!(met("MIT OR MIT AND GPL-3.0-only"));
        assert!(!met("(MIT OR MIT) AND GPL-3.0-only"));
        assert!(met("(MIT OR Apache-2.0) AND (Unlicense OR (MIT))"));
    }

    #[test]
    fn an_exception_is_part_of_the_name() {
        assert!(met("Apache-2.0 WITH LLVM-exception"));
        assert!(!met("MIT WITH LLVM-exception"));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for bad in [
            "",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT MIT",
            "AND MIT",
            "Apache-2.0 WITH",
            "()",
        ] {
            assert!(can_be_met(bad, |_| true).is_err(), "{bad:?}");
        }
    }
}
