//! `.dockerignore`: patterns that keep files out of the context.
//!
//! The semantics are docker's (moby/patternmatcher): the last pattern that
//! matches a path, or one of its parents, decides.

use crate::error::Error;
use common::glob::{DoubleStar, Glob};

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: invalid pattern '{}'", common::name::show(.pattern))]
pub(crate) struct PatternError {
    line: usize,
    pattern: String,
}

impl From<PatternError> for Error {
    fn from(error: PatternError) -> Self {
        Self::Other(error.to_string())
    }
}

#[derive(Debug)]
struct Rule {
    glob: Glob,
    includes: bool,
}

/// The patterns of a file, or of `--exclude`.
#[derive(Debug, Default)]
pub(crate) struct Patterns(Vec<Rule>);

impl Patterns {
    /// The patterns of an ignore file.
    ///
    /// # Errors
    /// A lone `!`, an unfinished bracket or escape.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, PatternError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let lines = text.split(|byte| *byte == b'\n').enumerate();
        let kept = lines.filter(|(_, line)| !line.starts_with(b"#"));
        Self::of(kept.map(|(index, line)| (index + 1, line)))
    }

    /// The patterns given one by one.
    ///
    /// # Errors
    /// As [`Patterns::parse`].
    pub(crate) fn list(patterns: &[String]) -> Result<Self, PatternError> {
        Self::of(patterns.iter().map(|pattern| (1, pattern.as_bytes())))
    }

    fn of<'a>(lines: impl Iterator<Item = (usize, &'a [u8])>) -> Result<Self, PatternError> {
        let mut rules = Vec::new();
        for (line, text) in lines {
            let text = text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            let (includes, pattern) = match text.strip_prefix(b"!") {
                Some(rest) => (true, rest.trim_ascii()),
                None => (false, text),
            };
            let error =
                || PatternError { line, pattern: String::from_utf8_lossy(text).into_owned() };
            if pattern.is_empty() {
                return Err(error());
            }
            let cleaned = clean(pattern);
            let glob = Glob::parse_go(&cleaned, DoubleStar::AnyDepth).map_err(|_| error())?;
            rules.push(Rule { glob, includes });
        }
        Ok(Self(rules))
    }

    /// Whether a path is kept out, given what its parent directory matched; and
    /// what it matched itself, for its children.
    pub(crate) fn excludes(&self, path: &[u8], parent: &Matched) -> (bool, Matched) {
        let mut excluded = false;
        let mut matched = Vec::with_capacity(self.0.len());
        for (index, rule) in self.0.iter().enumerate() {
            let hit = parent.0.get(index) == Some(&true) || rule.glob.matches(path);
            if hit {
                excluded = !rule.includes;
            }
            matched.push(hit);
        }
        (excluded, Matched(matched))
    }

    /// Whether something below an excluded directory may still be wanted: then it
    /// has to be walked (`!**/*.go`).
    pub(crate) fn may_include_again(&self) -> bool {
        self.0.iter().any(|rule| rule.includes)
    }
}

/// Which patterns a path or its parents matched.
#[derive(Debug, Default, Clone)]
pub(crate) struct Matched(Vec<bool>);

/// Go's `filepath.Clean`, and no slash in front.
fn clean(pattern: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in pattern.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => drop(parts.pop()),
            // Above the context there is nothing to match.
            b".." if pattern.starts_with(b"/") => {}
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { b".".to_vec() } else { parts.join(&b'/') }
}

#[cfg(test)]
mod tests {
    use super::{Matched, Patterns};

    /// Whether the file is kept out, its parents walked first.
    fn excludes(patterns: &str, path: &str) -> bool {
        let patterns = Patterns::parse(patterns.as_bytes()).unwrap();
        let mut matched = Matched::default();
        let mut excluded = false;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            (excluded, matched) = patterns.excludes(&path.as_bytes()[..end], &matched);
        }
        excluded
    }

    #[test]
    fn the_last_match_of_a_path_or_its_parents_decides() {
        for (patterns, path, expected) in [
            ("a", "a", true),
            ("a", "a/b/c", true),
            ("/a/", "a", true),
            ("./a//b", "a/b", true),
            ("x/../a", "a", true),
            ("a", "b/a", false),
            ("*", "a/b", true),
            ("*.md\n!README.md", "README.md", false),
            ("!README.md\n*.md", "README.md", true),
            ("*\n!**/*.go", "x/y.go", false),
            ("*\n!**/*.go", "x/y.c", true),
            ("docs\n!docs/README.md", "docs/README.md", false),
            ("docs\n!docs/README.md\ndocs/R*", "docs/README.md", true),
            ("**/.git", "a/b/.git/config", true),
            ("# a", "# a", false),
            (" # a", "# a", true),
            ("a b ", "a b", true),
            ("temp?", "tempa", true),
            ("temp?", "tempab", false),
            ("\u{feff}a", "a", true),
            ("a\r\nb\r\n", "b", true),
            ("", "a", false),
            ("..", "a", false),
            ("! a", "a", false),
        ] {
            assert_eq!(excludes(patterns, path), expected, "{patterns:?} {path}");
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        for bad in ["!", "a\n[", "[]", "a\\"] {
            assert!(Patterns::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let error = Patterns::parse(b"a\n\n[x").unwrap_err();
        assert_eq!(error.to_string(), "line 3: invalid pattern '[x'");
    }
}
