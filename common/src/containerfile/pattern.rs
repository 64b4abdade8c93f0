//! Shell patterns of `${x#p}`, `${x%p}` and `${x/p/r}`: `*`, `?` and escapes,
//! no brackets, as Dockerfiles know them.
//!
//! Matched by walking all states at once: linear in the value for any pattern,
//! however many stars a hostile one holds.

use super::error::ExpansionError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Star,
    Any,
    Char(char),
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Token>);

/// Which of several possible matches is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Shortest,
    Longest,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, ExpansionError> {
        let mut tokens = Vec::new();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            tokens.push(match char {
                '*' => Token::Star,
                '?' => Token::Any,
                '\\' => match chars.next() {
                    Some(escaped @ ('}' | '/' | '*' | '?' | '\\')) => Token::Char(escaped),
                    _ => return Err(ExpansionError::InvalidPattern(text.to_owned())),
                },
                _ => Token::Char(char),
            });
        }
        Ok(Self(tokens))
    }

    /// How many characters at the beginning of `value` match.
    fn prefix<I: Iterator<Item = char>>(&self, mut value: I, extent: Extent) -> Option<usize> {
        let end = self.0.len();
        let mut states = vec![false; end + 1];
        if let Some(first) = states.first_mut() {
            *first = true;
        }
        self.skip_stars(&mut states);
        let mut found = None;
        let mut consumed = 0;
        loop {
            if states.last() == Some(&true) {
                found = Some(consumed);
                if extent == Extent::Shortest {
                    break;
                }
            }
            let Some(char) = value.next() else { break };
            consumed += 1;
            let mut next = vec![false; end + 1];
            for ((state, token), alive) in self.0.iter().enumerate().zip(&states) {
                let target = match token {
                    Token::Star => state,
                    Token::Any => state + 1,
                    Token::Char(wanted) if *wanted == char => state + 1,
                    Token::Char(_) => continue,
                };
                if let (true, Some(slot)) = (*alive, next.get_mut(target)) {
                    *slot = true;
                }
            }
            self.skip_stars(&mut next);
            if !next.contains(&true) {
                break;
            }
            states = next;
        }
        found
    }

    /// A star also matches nothing.
    fn skip_stars(&self, states: &mut [bool]) {
        for (state, token) in self.0.iter().enumerate() {
            if *token == Token::Star && states.get(state) == Some(&true) {
                if let Some(slot) = states.get_mut(state + 1) {
                    *slot = true;
                }
            }
        }
    }

    /// `${value#pattern}` and `${value##pattern}`.
    pub(super) fn trim_prefix(&self, value: &str, extent: Extent) -> String {
        let matched = self.prefix(value.chars(), extent).unwrap_or(0);
        value.chars().skip(matched).collect()
    }

    /// `${value%pattern}` and `${value%%pattern}`.
    pub(super) fn trim_suffix(&self, value: &str, extent: Extent) -> String {
        let reversed = Self(self.0.iter().rev().copied().collect());
        let matched = reversed.prefix(value.chars().rev(), extent).unwrap_or(0);
        let kept = value.chars().count().saturating_sub(matched);
        value.chars().take(kept).collect()
    }

    /// `${value/pattern/replacement}`, and `//` with `all`.
    pub(super) fn replace(
        &self,
        value: &str,
        replacement: &str,
        all: bool,
    ) -> Result<String, ExpansionError> {
        let chars: Vec<char> = value.chars().collect();
        let mut result = String::new();
        let mut position = 0;
        let mut done = false;
        while position <= chars.len() {
            super::expand::bounded(&result)?;
            let rest = chars.get(position..).unwrap_or_default();
            let matched =
                if done { None } else { self.prefix(rest.iter().copied(), Extent::Longest) };
            if let Some(len) = matched {
                result.push_str(replacement);
                done = !all;
                position += len;
                if len > 0 {
                    // Nothing more is found in the empty rest.
                    done |= position == chars.len();
                    continue;
                }
            }
            result.extend(chars.get(position));
            position += 1;
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::{Extent, Pattern};

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn prefixes_and_suffixes_are_shortest_or_longest() {
        for (value, text, extent, expected) in [
            ("xxyy", "*x", Extent::Shortest, "xyy"),
            ("xxyy", "*x", Extent::Longest, "yy"),
            ("xxyy", "*", Extent::Shortest, "xxyy"),
            ("xxyy", "*", Extent::Longest, ""),
            ("xxyy", "z*", Extent::Longest, "xxyy"),
            ("???y", "?\\?", Extent::Shortest, "?y"),
        ] {
            assert_eq!(pattern(text).trim_prefix(value, extent), expected, "{value} {text}");
        }
        for (value, text, extent, expected) in [
            ("a.tar.gz", ".*", Extent::Shortest, "a.tar"),
            ("a.tar.gz", ".*", Extent::Longest, "a"),
            ("a***yy*", "\\**\\*", Extent::Longest, "a"),
            ("xxyy", "x", Extent::Shortest, "xxyy"),
        ] {
            assert_eq!(pattern(text).trim_suffix(value, extent), expected, "{value} {text}");
        }
    }

    #[test]
    fn replacements_are_leftmost_longest() {
        assert_eq!(pattern("/?/").replace("/a/foo/b/c.txt", "/", false).unwrap(), "/foo/b/c.txt");
        assert_eq!(pattern("/?/").replace("/a/foo/b/c.txt", "/", true).unwrap(), "/foo/c.txt");
        assert_eq!(pattern("").replace("xy", "w", false).unwrap(), "wxy");
        assert_eq!(pattern("*").replace("xy", "w", true).unwrap(), "w");
        assert_eq!(pattern("q").replace("xy", "w", true).unwrap(), "xy");
    }

    #[test]
    fn many_stars_take_no_time() {
        let value = "a".repeat(10_000);
        let text = format!("{}b", "*a".repeat(30));
        assert_eq!(pattern(&text).trim_prefix(&value, Extent::Longest), value);
    }
}
