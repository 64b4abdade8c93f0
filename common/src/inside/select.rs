//! Paths and patterns that choose names in a tree.

use super::Place;
use crate::glob::Pattern;
use crate::layer::tree::{Last, ResolveError, Tree};
use crate::root;
use crate::root::components;

/// A choice of names.
#[derive(Debug)]
pub struct Selection(Vec<One>);

#[derive(Debug)]
enum One {
    /// This path and all below it.
    Path(Vec<u8>),
    /// The names that match.
    Pattern(Pattern),
}

/// Makes a selection of paths and patterns; of none, one that chooses all. The links on
/// the way to a path are followed. A text with `*`, `?` or `[` is a pattern.
///
/// # Errors
/// A path that leads nowhere: a loop, or one that is too long.
pub fn select(tree: &Tree<Place>, texts: &[&[u8]]) -> Result<Selection, ResolveError> {
    let is_pattern = |text: &[u8]| text.iter().any(|byte| b"*?[".contains(byte));
    let select = |text: &&[u8]| {
        if is_pattern(text) {
            return Ok(One::Pattern(Pattern::new(text)));
        }
        let names = match tree.resolve(text, Last::NotFollowed) {
            Ok(names) => names,
            // A later layer may have replaced a directory by a file.
            Err(ResolveError::NotADirectory(_)) => components(text).map(<[u8]>::to_vec).collect(),
            Err(error) => return Err(error),
        };
        let mut path = Vec::new();
        names.iter().for_each(|name| root::push(&mut path, name));
        Ok(One::Path(path))
    };
    texts.iter().map(select).collect::<Result<_, _>>().map(Selection)
}

impl Selection {
    /// Whether it chooses `path`; and the place, among those that were given, of each that
    /// does goes to `chosen`.
    pub fn takes(&self, path: &[u8], mut chosen: impl FnMut(usize)) -> bool {
        let mut taken = self.0.is_empty();
        for (at, one) in self.0.iter().enumerate() {
            let matches = match one {
                One::Pattern(pattern) => pattern.matches(path),
                One::Path(prefix) => is_within(path, prefix),
            };
            if matches {
                chosen(at);
                taken = true;
            }
        }
        taken
    }
}

/// Whether `path` is `prefix` or below it.
fn is_within(path: &[u8], prefix: &[u8]) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => prefix.is_empty() || rest.is_empty() || rest.first() == Some(&b'/'),
        None => false,
    }
}
