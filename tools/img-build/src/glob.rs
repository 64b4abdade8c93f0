//! Go's `filepath.Match` on byte names: what COPY's wildcards and, with `**`,
//! ignore files are made of.

/// A pattern whose bracket or escape is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadPattern;

/// A character, or a byte that is part of none: `?` takes either.
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

/// Whether `**` has its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DoubleStar {
    /// As in ignore files.
    AnyDepth,
    /// As two stars: in COPY's sources.
    Plain,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob(Vec<Token>);

impl Glob {
    pub(crate) fn parse(pattern: &[u8], double_star: DoubleStar) -> Result<Self, BadPattern> {
        let pattern = units(pattern);
        let mut rest = pattern.as_slice();
        let mut tokens = Vec::new();
        while let Some((&unit, after)) = rest.split_first() {
            rest = after;
            let is_star = |unit: Option<&Unit>| unit == Some(&Unit::from(b'*'));
            tokens.push(match u8::try_from(unit) {
                Ok(b'*') if double_star == DoubleStar::AnyDepth && is_star(rest.first()) => {
                    rest = rest.get(1..).unwrap_or_default();
                    match rest.split_first() {
                        Some((&SLASH, after)) => {
                            rest = after;
                            Token::Directories
                        }
                        _ => Token::Anything,
                    }
                }
                Ok(b'*') => Token::Star,
                Ok(b'?') => Token::Any,
                Ok(b'[') => class(&mut rest)?,
                Ok(b'\\') => Token::One(take(&mut rest)?),
                _ => Token::One(unit),
            });
        }
        Ok(Self(tokens))
    }

    /// Whether all of `path` matches. All states are walked at once, so that no
    /// pattern takes longer than its length times the path's.
    pub(crate) fn matches(&self, path: &[u8]) -> bool {
        let mut states = vec![false; self.0.len() + 1];
        self.enter(&mut states, 0);
        for unit in units(path) {
            let mut next = vec![false; states.len()];
            for (state, token) in self.0.iter().enumerate() {
                if states.get(state) != Some(&true) {
                    continue;
                }
                match token {
                    Token::One(wanted) if *wanted == unit => self.enter(&mut next, state + 1),
                    Token::Any if unit != SLASH => self.enter(&mut next, state + 1),
                    Token::Class { ranges, is_negated } if unit != SLASH => {
                        let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&unit));
                        if is_in != *is_negated {
                            self.enter(&mut next, state + 1);
                        }
                    }
                    Token::Star if unit != SLASH => self.enter(&mut next, state),
                    Token::Anything => self.enter(&mut next, state),
                    Token::Directories => {
                        // Inside the directories' names, past which only a slash leads.
                        set(&mut next, state);
                        if unit == SLASH {
                            self.enter(&mut next, state + 1);
                        }
                    }
                    _ => {}
                }
            }
            states = next;
        }
        // `**/` that began to match a name needs its slash; that it may also match
        // nothing was entered at the start.
        states.last() == Some(&true)
    }

    /// Marks a state, and those reached from it by matching nothing.
    fn enter(&self, states: &mut [bool], state: usize) {
        set(states, state);
        if matches!(self.0.get(state), Some(Token::Star | Token::Anything | Token::Directories)) {
            self.enter(states, state + 1);
        }
    }
}

fn set(states: &mut [bool], state: usize) {
    if let Some(slot) = states.get_mut(state) {
        *slot = true;
    }
}

fn take(rest: &mut &[Unit]) -> Result<Unit, BadPattern> {
    let (&unit, after) = rest.split_first().ok_or(BadPattern)?;
    *rest = after;
    Ok(unit)
}

/// What follows `[`.
fn class(rest: &mut &[Unit]) -> Result<Token, BadPattern> {
    let is = |unit: Option<&Unit>, byte: u8| unit == Some(&Unit::from(byte));
    let is_negated = is(rest.first(), b'^');
    if is_negated {
        take(rest)?;
    }
    let bound = |rest: &mut &[Unit]| match take(rest)? {
        unit if unit == Unit::from(b'\\') => take(rest),
        unit if unit == Unit::from(b'-') || unit == Unit::from(b']') => Err(BadPattern),
        unit => Ok(unit),
    };
    let mut ranges = Vec::new();
    while ranges.is_empty() || !is(rest.first(), b']') {
        let low = bound(rest)?;
        let high = match is(rest.first(), b'-') {
            true => {
                take(rest)?;
                bound(rest)?
            }
            false => low,
        };
        ranges.push((low, high));
    }
    take(rest)?;
    Ok(Token::Class { ranges, is_negated })
}

/// Characters by their number; bytes that are none beyond all of them.
fn units(bytes: &[u8]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        units.extend(chunk.valid().chars().map(Unit::from));
        units.extend(chunk.invalid().iter().map(|byte| 0x11_0000 + Unit::from(*byte)));
    }
    units
}

/// Whether a name has to be looked for, or can be looked up.
pub(crate) fn has_wildcards(name: &[u8]) -> bool {
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
        let glob = Glob::parse(pattern.as_bytes(), DoubleStar::Plain).ok()?;
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
            ("a**c", "a/b/c", true),
            ("**/*.go", "x/y.go", true),
            ("dir/**/*", "dir/f", true),
            ("**/dir2/*", "dir/dir2/f", true),
        ] {
            let glob = Glob::parse(pattern.as_bytes(), DoubleStar::AnyDepth).unwrap();
            assert_eq!(glob.matches(path.as_bytes()), expected, "{pattern} {path}");
        }
    }
}
