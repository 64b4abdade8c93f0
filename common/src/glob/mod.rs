//! Patterns for names: `*`, `?`, `[a-z]` and `**`, one engine for two dialects.
//!
//! [`Glob::new`] takes what shells take, byte by byte, and any text is a pattern.
//! [`Glob::parse_go`] takes what Go's `path/filepath.Match` takes, character by character,
//! of which COPY's sources and, with `**`, ignore files are made: an unfinished bracket is
//! an error there. In both, `*`, `?` and `[…]` stop at a slash, and `**` does not.

mod parse;
mod pattern;

pub use pattern::Pattern;

/// A pattern whose bracket or escape is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPattern;

/// A byte, or in Go's dialect a character; bytes that are part of none come after all
/// characters.
type Unit = u32;

const SLASH: Unit = '/' as Unit;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    One(Unit),
    /// `?`: one unit that is no slash.
    Any,
    /// `*`: any number of units that are no slash.
    Star,
    /// `**`: anything at all.
    Anything,
    /// `**/`: nothing, or anything that ends with a slash.
    Directories,
    /// `[…]`: one unit that is no slash.
    Class {
        ranges: Vec<(Unit, Unit)>,
        is_negated: bool,
    },
}

impl Token {
    /// Returns true if the token stands for this unit alone.
    fn takes(&self, unit: Unit) -> bool {
        match self {
            Self::One(own) => *own == unit,
            Self::Any => unit != SLASH,
            Self::Class { ranges, is_negated } => {
                let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&unit));
                unit != SLASH && is_in != *is_negated
            }
            Self::Star | Self::Anything | Self::Directories => false,
        }
    }
}

/// The units of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Bytes,
    Characters,
}

/// The meaning of `**` in Go's dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubleStar {
    /// Any number of directories, as in ignore files.
    AnyDepth,
    /// Two stars, as in COPY's sources.
    Plain,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
    alphabet: Alphabet,
}

impl Glob {
    /// Compiles a pattern of bytes. A bracket that is not closed, and a backslash at the
    /// end, stand for themselves.
    #[must_use]
    pub fn new(pattern: &[u8]) -> Self {
        Self { tokens: joined(parse::bytes(pattern)), alphabet: Alphabet::Bytes }
    }

    /// Compiles a pattern as Go's `filepath.Match` reads it.
    ///
    /// # Errors
    /// A bracket or escape that is not finished.
    pub fn parse_go(pattern: &[u8], double_star: DoubleStar) -> Result<Self, BadPattern> {
        let pattern: Vec<Unit> = characters(pattern).collect();
        let tokens = joined(parse::characters(&pattern, double_star)?);
        Ok(Self { tokens, alphabet: Alphabet::Characters })
    }

    /// Returns true if all of `text` matches. No pattern takes longer than its length times
    /// that of the text.
    #[must_use]
    pub fn matches(&self, text: &[u8]) -> bool {
        match self.alphabet {
            Alphabet::Bytes => self.walk(text.iter().map(|&byte| Unit::from(byte))),
            Alphabet::Characters => self.walk(characters(text)),
        }
    }

    /// Walks all states at once. State `n` is reached when the tokens before the `n`th have
    /// matched.
    fn walk(&self, units: impl Iterator<Item = Unit>) -> bool {
        let mut states = vec![false; self.tokens.len() + 1];
        let mut next = states.clone();
        self.enter(&mut states, 0);
        for unit in units {
            next.fill(false);
            let mut is_alive = false;
            for (state, token) in self.tokens.iter().enumerate() {
                if states.get(state) != Some(&true) {
                    continue;
                }
                let reached = match token {
                    Token::Star if unit != SLASH => Some(state),
                    Token::Anything => Some(state),
                    Token::Directories => {
                        // Inside the directories' names, past which only a slash leads.
                        set(&mut next, state);
                        is_alive = true;
                        (unit == SLASH).then_some(state + 1)
                    }
                    single => single.takes(unit).then_some(state + 1),
                };
                if let Some(reached) = reached {
                    self.enter(&mut next, reached);
                    is_alive = true;
                }
            }
            if !is_alive {
                return false;
            }
            std::mem::swap(&mut states, &mut next);
        }
        states.last() == Some(&true)
    }

    /// Marks a state, and those reached from it by matching nothing.
    fn enter(&self, states: &mut [bool], mut state: usize) {
        set(states, state);
        while let Some(Token::Star | Token::Anything | Token::Directories) = self.tokens.get(state)
        {
            state += 1;
            set(states, state);
        }
    }
}

/// Joins stars that stand side by side, so that no state leads to more than a few others at
/// once.
fn joined(tokens: Vec<Token>) -> Vec<Token> {
    use Token::{Anything, Directories, Star};
    let mut joined: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match (joined.last_mut(), token) {
            (Some(Anything), Star | Anything | Directories) => {}
            (Some(Star), Star) | (Some(Directories), Directories) => {}
            (Some(last @ (Star | Directories)), Anything) => *last = Anything,
            (_, token) => joined.push(token),
        }
    }
    joined
}

fn set(states: &mut [bool], state: usize) {
    if let Some(slot) = states.get_mut(state) {
        *slot = true;
    }
}

/// Characters by their number; bytes that are none beyond all of them.
fn characters(bytes: &[u8]) -> impl Iterator<Item = Unit> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter().map(|byte| 0x11_0000 + Unit::from(*byte));
        chunk.valid().chars().map(Unit::from).chain(invalid)
    })
}

/// Returns true if a name has to be looked for, and false if it can be looked up.
#[must_use]
pub fn has_wildcards(name: &[u8]) -> bool {
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'*' | b'?' | b'[' => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{DoubleStar, Glob};

    fn matches(pattern: &str, path: &[u8]) -> Option<bool> {
        let glob = Glob::parse_go(pattern.as_bytes(), DoubleStar::Plain).ok()?;
        Some(glob.matches(path))
    }

    #[test]
    fn patterns_match_as_gos_filepath_does() {
        for (pattern, path, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[^e-g]", "abc", true),
            ("ab[^c]", "abc", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-]", "-", true),
            ("[x\\-]", "z", false),
            ("*x", "xxx", true),
            ("**", "a/b", false),
        ] {
            assert_eq!(matches(pattern, path.as_bytes()), Some(expected), "{pattern} {path}");
        }
        assert_eq!(matches("a?", b"a\xff"), Some(true));
        for bad in ["[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[", "[^", "[^bc", "a["] {
            assert_eq!(matches(bad, b"a"), None, "{bad}");
        }
    }

    #[test]
    fn double_stars_cross_directories() {
        for (pattern, path, expected) in [
            ("**", "a/b", true),
            ("**/", "a/b/", true),
            ("**/b", "b", true),
            ("**/b", "a/x/b", true),
            ("**/b", "ab", false),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/b/b/c", true),
            ("a/**/z", "a/bz", false),
            ("a**c", "a/b/c", true),
            ("**.o", "d/a.o", true),
            ("**/*.go", "x/y.go", true),
            ("dir/**/*", "dir/f", true),
            ("**/dir2/*", "dir/dir2/f", true),
            ("**/a*/b", "x/ac/q/ad/b", true),
            ("**/a*b/c*d", "ab/x/aab/cxd", true),
            ("a*b**/c", "abxbc", true),
        ] {
            let go = Glob::parse_go(pattern.as_bytes(), DoubleStar::AnyDepth).unwrap();
            for glob in [go, Glob::new(pattern.as_bytes())] {
                assert_eq!(glob.matches(path.as_bytes()), expected, "{pattern} {path}");
            }
        }
    }

    #[test]
    fn any_bytes_are_a_pattern() {
        for (pattern, text, expected) in [
            ("*.o", "a.o", true),
            ("*.o", "d/a.o", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a?c", "aéc", false),
            ("a??c", "aéc", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[!a-c]x", "/x", false),
            ("[]]x", "]x", true),
            ("[a-]x", "-x", true),
            ("[x", "[x", true),
            ("[", "[", true),
            ("[!]", "[!]", true),
            ("x\\", "x\\", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("", "", true),
            ("*", "", true),
            ("*a*b", "xaxxb", true),
        ] {
            let glob = Glob::new(pattern.as_bytes());
            assert_eq!(glob.matches(text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn stars_side_by_side_are_one() {
        for stars in ["*", "**", "**/", "****/"] {
            let pattern = stars.repeat(5000) + "c";
            let go = Glob::parse_go(pattern.as_bytes(), DoubleStar::AnyDepth).unwrap();
            for glob in [Glob::new(pattern.as_bytes()), go] {
                assert_eq!(glob.tokens.len(), 2, "{stars}");
            }
        }
        // Joining stars does not change the set of names that a pattern matches.
        for (pattern, text, is_match) in [
            ("a***b", "a/b", true),
            ("a**/**/b", "a/b", true),
            ("***/b", "x/b", true),
            ("*a**b", "xa/b", true),
            ("a****/b", "ab", true),
            ("a****/b", "a/x/b", true),
            ("**/**b", "a/xb", true),
        ] {
            assert_eq!(
                Glob::new(pattern.as_bytes()).matches(text.as_bytes()),
                is_match,
                "{pattern}"
            );
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "a*".repeat(40) + "b";
        assert!(!Glob::new(pattern.as_bytes()).matches("a".repeat(400).as_bytes()));
    }
}
