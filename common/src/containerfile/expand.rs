//! Variables and quotes in a word: `$x`, `${x:-word}`, `'…'`, `"…"`, escapes.
//!
//! The semantics are those of the Dockerfile reference ("Environment
//! replacement") and, where it is silent, of BuildKit's `shell/lex.go`: not
//! quite a shell's, for instance `$1` and `$@` are names that are never set.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::error::{ExpansionError, Problem};
use super::pattern::{Extent, Pattern};

/// Deeper `${a:-${b:-…` is refused, so that the stack is bounded.
const MAX_DEPTH: usize = 64;

/// What one word may become: the kernel takes no longer argument or variable
/// (`MAX_ARG_STRLEN`), and `ENV a=$a$a` doubles without end.
const MAX_LEN_BYTES: usize = 128 * 1024;

/// Counts what the words of one instruction expand to: each is bounded, but there can
/// be a hundred thousand of them, each of them `$x`.
#[derive(Debug, Default)]
pub struct Total(Cell<usize>);

impl Total {
    /// Passes on a value that still fits.
    ///
    /// # Errors
    /// All of them together are too long.
    pub fn count(&self, value: String) -> Result<String, Problem> {
        self.0.set(self.0.get() + value.len());
        if self.0.get() > super::MAX_LEN_BYTES {
            return Err(Problem::TooLong(super::MAX_LEN_BYTES));
        }
        Ok(value)
    }
}

/// Where the values of variables come from.
pub trait Variables {
    /// The value of `name`, `None` where it is not set.
    fn get(&self, name: &str) -> Option<&str>;
}

impl Variables for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<&str> {
        Self::get(self, name).map(String::as_str)
    }
}

/// No variable is set.
#[derive(Debug, Clone, Copy)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// What becomes of quotes, escapes and unset variables.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Keep {
    /// Quotes stay in the result.
    pub(super) quotes: bool,
    /// Escape characters stay in the result.
    pub(super) escapes: bool,
    /// Quotes mean nothing (the body of a heredoc).
    pub(super) quotes_literal: bool,
    /// An unset variable stays as it is written.
    pub(super) unset: bool,
}

/// Expands words, given an escape character.
#[derive(Debug, Clone, Copy)]
pub struct Expander {
    escape: char,
    keep: Keep,
}

impl Expander {
    /// For the file's escape character.
    #[must_use]
    pub fn new(escape: char) -> Self {
        Self { escape, keep: Keep::default() }
    }

    /// For the body of a heredoc: quotes are text.
    #[must_use]
    pub fn for_heredoc() -> Self {
        Self { escape: '\\', keep: Keep { quotes_literal: true, ..Keep::default() } }
    }

    pub(super) fn keeping(escape: char, keep: Keep) -> Self {
        Self { escape, keep }
    }

    /// The word with its variables replaced and its quotes removed.
    ///
    /// # Errors
    /// A malformed substitution, an unmatched quote, `${x?}` of an unset variable.
    pub fn word(&self, word: &str, variables: &dyn Variables) -> Result<String, Problem> {
        self.run(word, variables).map(|result| result.text)
    }

    /// The same, split at the blanks that are not quoted.
    ///
    /// # Errors
    /// As [`Expander::word`].
    pub fn words(&self, word: &str, variables: &dyn Variables) -> Result<Vec<String>, Problem> {
        self.run(word, variables).map(|result| result.words)
    }

    fn run(&self, word: &str, variables: &dyn Variables) -> Result<Expanded, Problem> {
        let mut walk = Walk {
            chars: word.chars().collect(),
            position: 0,
            escape: self.escape,
            keep: self.keep,
            variables,
            depth: 0,
        };
        walk.until(None)
            .map_err(|reason| Problem::Expansion { word: word.chars().take(200).collect(), reason })
    }
}

/// A result in both shapes.
#[derive(Debug, Default)]
struct Expanded {
    text: String,
    words: Vec<String>,
    current: String,
    in_word: bool,
}

impl Expanded {
    /// From outside quotes: a blank ends a word.
    fn push(&mut self, char: char) {
        self.text.push(char);
        self.split(char);
    }

    fn split(&mut self, char: char) {
        if !char.is_whitespace() {
            self.current.push(char);
            self.in_word = true;
        } else if self.in_word && !self.current.is_empty() {
            self.words.push(std::mem::take(&mut self.current));
            self.in_word = false;
        }
    }

    /// Quoted or escaped: a blank is part of the word.
    fn push_raw(&mut self, text: &str) {
        self.text.push_str(text);
        self.current.push_str(text);
        self.in_word = true;
    }

    fn finish(mut self) -> Self {
        if !self.current.is_empty() {
            self.words.push(std::mem::take(&mut self.current));
        }
        self
    }
}

struct Walk<'a> {
    chars: Vec<char>,
    position: usize,
    escape: char,
    keep: Keep,
    variables: &'a dyn Variables,
    depth: usize,
}

type Result<T, E = ExpansionError> = std::result::Result<T, E>;

impl Walk<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.position).copied()
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.position += 1;
        Some(char)
    }

    /// Expands up to `stop`, which is consumed, or to the end.
    fn until(&mut self, stop: Option<char>) -> Result<Expanded> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExpansionError::TooDeep(MAX_DEPTH));
        }
        let mut result = Expanded::default();
        while let Some(char) = self.peek() {
            bounded(&result.text)?;
            if Some(char) == stop {
                self.position += 1;
                self.depth -= 1;
                return Ok(result.finish());
            }
            match char {
                '\'' if !self.keep.quotes_literal => result.push_raw(&self.single_quoted()?),
                '"' if !self.keep.quotes_literal => result.push_raw(&self.double_quoted()?),
                '$' => {
                    let value = self.dollar()?;
                    result.text.push_str(&value);
                    value.chars().for_each(|char| result.split(char));
                }
                '<' => result.push_raw(&self.less_than()),
                _ => {
                    self.position += 1;
                    if char != self.escape {
                        result.push(char);
                        continue;
                    }
                    let mut buffer = [0; 4];
                    if self.keep.escapes {
                        result.push_raw(char.encode_utf8(&mut buffer));
                    }
                    // An escape at the very end is dropped.
                    if let Some(escaped) = self.next() {
                        result.push_raw(escaped.encode_utf8(&mut buffer));
                    }
                }
            }
        }
        bounded(&result.text)?;
        match stop {
            Some(stop) => Err(ExpansionError::Missing(stop)),
            None => Ok(result.finish()),
        }
    }

    /// As [`Walk::until`], with escapes kept or not.
    fn until_keeping(&mut self, stop: char, escapes: bool) -> Result<String> {
        let before = std::mem::replace(&mut self.keep.escapes, escapes);
        let result = self.until(Some(stop));
        self.keep.escapes = before;
        result.map(|result| result.text)
    }

    /// Everything up to the next quote, as it is.
    fn single_quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        self.quote(&mut text);
        while let Some(char) = self.peek() {
            if char == '\'' {
                self.quote(&mut text);
                return Ok(text);
            }
            text.push(char);
            self.position += 1;
        }
        Err(ExpansionError::Unterminated("single-quote"))
    }

    /// Variables are expanded; only the quote, `$` and the escape can be escaped.
    fn double_quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        self.quote(&mut text);
        while let Some(char) = self.peek() {
            match char {
                '"' => {
                    self.quote(&mut text);
                    return Ok(text);
                }
                '$' => {
                    text.push_str(&self.dollar()?);
                    bounded(&text)?;
                }
                _ => {
                    self.position += 1;
                    if char != self.escape {
                        text.push(char);
                        continue;
                    }
                    if self.keep.escapes {
                        text.push(char);
                    }
                    match self.peek() {
                        None => {}
                        Some(next) if next == '"' || next == '$' || next == self.escape => {
                            self.position += 1;
                            text.push(next);
                        }
                        Some(_) => text.push(char),
                    }
                }
            }
        }
        Err(ExpansionError::Unterminated("double-quote"))
    }

    /// Consumes a quote, into the text where quotes are kept.
    fn quote(&mut self, text: &mut String) {
        let quote = self.next();
        if self.keep.quotes {
            text.extend(quote);
        }
    }

    /// `<`, or `<<` with the blanks before a heredoc's delimiter, as one piece.
    fn less_than(&mut self) -> String {
        let mut text = String::from("<");
        self.position += 1;
        if self.peek() == Some('<') {
            text.push('<');
            self.position += 1;
            while let Some(blank @ ('\t' | '\r' | ' ')) = self.peek() {
                text.push(blank);
                self.position += 1;
            }
        }
        text
    }

    fn dollar(&mut self) -> Result<String> {
        self.position += 1;
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".into());
            }
            return Ok(match self.variables.get(&name) {
                Some(value) => value.to_owned(),
                None if self.keep.unset => format!("${name}"),
                None => String::new(),
            });
        }
        self.position += 1;
        match self.peek() {
            None => return Err(ExpansionError::Missing('}')),
            Some('{' | '}' | ':') => return Err(ExpansionError::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        self.braced(&name)
    }

    /// What follows the name in `${name…}`.
    fn braced(&mut self, name: &str) -> Result<String> {
        let value = self.variables.get(name).map(str::to_owned);
        let keep_unset = self.keep.unset && value.is_none();
        let Some(mut modifier) = self.next() else { return Err(ExpansionError::Missing('}')) };
        if modifier == '}' {
            return Ok(match value {
                None if keep_unset => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            });
        }
        if modifier == '/' {
            return self.replacement(name, value.as_deref());
        }
        let mut shown = String::from(modifier);
        let empty_is_unset = modifier == ':';
        if empty_is_unset {
            modifier = self.next().ok_or(ExpansionError::Missing('}'))?;
            shown.push(modifier);
        }
        let is_trim = matches!(modifier, '#' | '%');
        if !matches!(modifier, '-' | '+' | '?' | '#' | '%') || (empty_is_unset && is_trim) {
            return Err(ExpansionError::UnsupportedModifier(shown));
        }
        let word = self.until_keeping('}', is_trim || self.keep.escapes)?;
        if keep_unset {
            return Ok(format!("${{{name}{shown}{word}}}"));
        }
        let counts = value.as_ref().is_some_and(|value| !(empty_is_unset && value.is_empty()));
        match modifier {
            '-' => Ok(if counts { value.unwrap_or_default() } else { word }),
            '+' => Ok(if counts { word } else { String::new() }),
            '?' if counts => Ok(value.unwrap_or_default()),
            '?' => {
                let state = if value.is_some() { "empty" } else { "unset" };
                let message = match word.as_str() {
                    "" => format!("is not allowed to be {state}"),
                    _ => word,
                };
                Err(ExpansionError::Required { name: name.to_owned(), message })
            }
            _ => trim(modifier, &word, &value.unwrap_or_default()),
        }
    }

    /// `${name/pattern/replacement}`, `${name//pattern/replacement}`.
    fn replacement(&mut self, name: &str, value: Option<&str>) -> Result<String> {
        let all = self.peek() == Some('/');
        if all {
            self.position += 1;
        }
        let pattern = self.until_keeping('/', true)?;
        let replacement = self.until_keeping('}', true)?;
        match value {
            None if self.keep.unset => Ok(format!("${{{name}/{pattern}/{replacement}}}")),
            value => {
                Pattern::parse(&pattern)?.replace(value.unwrap_or_default(), &replacement, all)
            }
        }
    }

    /// A name, all digits of a positional parameter, or one special parameter.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.peek() {
            Some(char) if char.is_ascii_digit() => {
                while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
                    name.push(digit);
                    self.position += 1;
                }
            }
            Some(special @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => {
                name.push(special);
                self.position += 1;
            }
            _ => {
                while let Some(char) =
                    self.peek().filter(|char| char.is_alphanumeric() || *char == '_')
                {
                    name.push(char);
                    self.position += 1;
                }
            }
        }
        name
    }
}

pub(super) fn bounded(text: &str) -> Result<()> {
    if text.len() > MAX_LEN_BYTES {
        return Err(ExpansionError::TooLong(MAX_LEN_BYTES));
    }
    Ok(())
}

/// `#` and `%`, doubled for the longest match.
fn trim(modifier: char, word: &str, value: &str) -> Result<String> {
    let (pattern, extent) = match word.strip_prefix(modifier) {
        Some(rest) => (rest, Extent::Longest),
        None => (word, Extent::Shortest),
    };
    let pattern = Pattern::parse(pattern)?;
    match modifier {
        '#' => pattern.trim_prefix(value, extent),
        _ => pattern.trim_suffix(value, extent),
    }
}

#[cfg(test)]
#[path = "expand_tests.rs"]
mod tests;
