//! Shell patterns of `${x#p}`, `${x%p}` and `${x/p/r}`: `*`, `?` and escapes,
//! no brackets, as Dockerfiles know them.
//!
//! Matched by walking all states at once: linear in the value for any pattern,
//! however many stars a hostile one holds. So are replacements: a pattern without stars
//! is given up after its own length, and one with stars matches once at most, as far to
//! the right as its end is found.

use std::ops::Range;

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

/// Where a match may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Beginning,
    Anywhere,
}

/// No match is in this state.
const NEVER: usize = usize::MAX;

/// Characters of the value times those of the pattern.
const MAX_STEPS: usize = 1 << 25;

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

    /// The first match in `value`, or that at its beginning, as the positions where it
    /// begins and ends. Of several that begin there, `extent` says which.
    fn search(
        &self,
        mut value: impl Iterator<Item = char>,
        place: Place,
        extent: Extent,
    ) -> Option<Range<usize>> {
        // Where the earliest match that is in each state began.
        let mut states = vec![NEVER; self.0.len() + 1];
        let mut next = states.clone();
        *states.first_mut()? = 0;
        self.skip_stars(&mut states);
        let mut found: Option<Range<usize>> = None;
        for position in 0.. {
            let matched = states.last().copied().unwrap_or(NEVER);
            if matched <= found.as_ref().map_or(NEVER - 1, |found| found.start) {
                found = Some(matched..position);
                if extent == Extent::Shortest {
                    break;
                }
                // Matches that began later no longer count.
                states
                    .iter_mut()
                    .filter(|start| **start > matched)
                    .for_each(|start| *start = NEVER);
            }
            let no_more_begin = found.is_some() || place == Place::Beginning;
            if no_more_begin && states.iter().all(|start| *start == NEVER) {
                break;
            }
            let Some(char) = value.next() else { break };
            next.fill(NEVER);
            for ((state, token), start) in self.0.iter().enumerate().zip(&states) {
                let target = match token {
                    Token::Star => state,
                    Token::Any => state + 1,
                    Token::Char(wanted) if *wanted == char => state + 1,
                    Token::Char(_) => continue,
                };
                if let Some(slot) = next.get_mut(target) {
                    *slot = (*slot).min(*start);
                }
            }
            if let (Place::Anywhere, None, Some(first)) = (place, &found, next.first_mut()) {
                *first = (*first).min(position + 1);
            }
            self.skip_stars(&mut next);
            std::mem::swap(&mut states, &mut next);
        }
        found
    }

    /// A star also matches nothing.
    fn skip_stars(&self, states: &mut [usize]) {
        for (state, token) in self.0.iter().enumerate() {
            if let (Token::Star, Some([start, next])) = (token, states.get_mut(state..state + 2)) {
                *next = (*next).min(*start);
            }
        }
    }

    /// Refuses what takes long: time is the length of the value times that of the pattern.
    fn check(&self, value: &str) -> Result<(), ExpansionError> {
        match value.len().saturating_mul(self.0.len()) > MAX_STEPS {
            true => Err(ExpansionError::TooMuchWork(value.chars().count())),
            false => Ok(()),
        }
    }

    /// `${value#pattern}` and `${value##pattern}`.
    pub(super) fn trim_prefix(
        &self,
        value: &str,
        extent: Extent,
    ) -> Result<String, ExpansionError> {
        self.check(value)?;
        let found = self.search(value.chars(), Place::Beginning, extent);
        Ok(value.chars().skip(found.map_or(0, |found| found.end)).collect())
    }

    /// `${value%pattern}` and `${value%%pattern}`.
    pub(super) fn trim_suffix(
        &self,
        value: &str,
        extent: Extent,
    ) -> Result<String, ExpansionError> {
        self.check(value)?;
        let reversed = Self(self.0.iter().rev().copied().collect());
        let found = reversed.search(value.chars().rev(), Place::Beginning, extent);
        let matched = found.map_or(0, |found| found.end);
        Ok(value.chars().take(value.chars().count().saturating_sub(matched)).collect())
    }

    /// `${value/pattern/replacement}`, and `//` with `all`.
    pub(super) fn replace(
        &self,
        value: &str,
        replacement: &str,
        all: bool,
    ) -> Result<String, ExpansionError> {
        self.check(value)?;
        let chars: Vec<char> = value.chars().collect();
        let mut result = String::new();
        let mut rest = chars.as_slice();
        let mut is_done = false;
        while !is_done {
            super::expand::bounded(&result)?;
            let found = self.search(rest.iter().copied(), Place::Anywhere, Extent::Longest);
            let Some(found) = found else { break };
            result.extend(rest.get(..found.start).unwrap_or_default());
            result.push_str(replacement);
            is_done = !all || found.end == rest.len();
            rest = rest.get(found.end..).unwrap_or_default();
            if let (true, Some((char, after))) = (found.is_empty(), rest.split_first()) {
                result.push(*char);
                rest = after;
            }
        }
        result.extend(rest);
        super::expand::bounded(&result)?;
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
            assert_eq!(
                pattern(text).trim_prefix(value, extent).unwrap(),
                expected,
                "{value} {text}"
            );
        }
        for (value, text, extent, expected) in [
            ("a.tar.gz", ".*", Extent::Shortest, "a.tar"),
            ("a.tar.gz", ".*", Extent::Longest, "a"),
            ("a***yy*", "\\**\\*", Extent::Longest, "a"),
            ("xxyy", "x", Extent::Shortest, "xxyy"),
        ] {
            assert_eq!(
                pattern(text).trim_suffix(value, extent).unwrap(),
                expected,
                "{value} {text}"
            );
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

    /// The longest match at the beginning, found without any cleverness.
    fn longest(pattern: &[u8], value: &[u8]) -> Option<usize> {
        let Some((token, rest)) = pattern.split_first() else { return Some(0) };
        let counts = if *token == b'*' { 0..=value.len() } else { 1..=1.min(value.len()) };
        let fits = |count: &usize| *token != b'a' && *token != b'b' || value[..*count] == [*token];
        counts.filter(fits).filter_map(|count| Some(count + longest(rest, &value[count..])?)).max()
    }

    fn naive(pattern: &str, value: &str) -> String {
        let (mut result, mut at) = (String::new(), 0);
        while at <= value.len() {
            let found = longest(pattern.as_bytes(), &value.as_bytes()[at..]);
            result.push_str(if found.is_some() { "<>" } else { "" });
            at += found.unwrap_or(0);
            if found.unwrap_or(0) > 0 && at == value.len() {
                break;
            }
            if found.unwrap_or(0) == 0 {
                result.push_str(value.get(at..=at).unwrap_or_default());
                at += 1;
            }
        }
        result
    }

    fn words(alphabet: &str, longest: usize) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut last = words.clone();
        for _ in 0..longest {
            let longer =
                |word: &String| alphabet.chars().map(|char| format!("{word}{char}")).collect();
            last = last.iter().flat_map(|word| -> Vec<String> { longer(word) }).collect();
            words.extend(last.iter().cloned());
        }
        words
    }

    #[test]
    fn all_replacements_are_those_of_a_naive_search() {
        for text in words("ab*?", 4) {
            for value in words("ab", 5) {
                let replaced = pattern(&text).replace(&value, "<>", true).unwrap();
                assert_eq!(replaced, naive(&text, &value), "{text} in {value}");
            }
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let value = "a".repeat(100_000);
        let stars = format!("{}b", "*a".repeat(30));
        for text in [stars.as_str(), "*b", "*a*b", "b*", "a*b", "aaaaaaaab", "a"] {
            let pattern = pattern(text);
            for extent in [Extent::Shortest, Extent::Longest] {
                assert!(pattern.trim_prefix(&value, extent).unwrap().len() >= value.len() - 1);
                assert!(pattern.trim_suffix(&value, extent).unwrap().len() >= value.len() - 1);
            }
            for all in [true, false] {
                assert_eq!(pattern.replace(&value, "a", all).unwrap(), value, "{text}");
            }
        }
    }

    #[test]
    fn what_would_take_long_is_refused() {
        let value = "a".repeat(100_000);
        let pattern = pattern(&"?".repeat(1000));
        let expected = "the pattern is too long for a value of 100000 characters";
        let said = [
            pattern.trim_prefix(&value, Extent::Longest),
            pattern.trim_suffix(&value, Extent::Longest),
            pattern.replace(&value, "", true),
        ];
        assert!(said.iter().all(|said| said.as_ref().unwrap_err().to_string() == expected));
    }
}
