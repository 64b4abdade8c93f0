//! How many files may be open at a time.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many files may be open for a purpose that is given one of `parts` of all
/// descriptors: at least 1, and not more than `most`.
#[must_use]
pub fn share(parts: usize, most: usize) -> usize {
    let current = getrlimit(Resource::Nofile).current;
    let all = current.map_or(usize::MAX, |all| usize::try_from(all).unwrap_or(usize::MAX));
    (all / parts).clamp(1, most)
}

/// Lets this process have as many descriptors as it may, until it is dropped: the usual
/// soft limit of 1024 is there for programs that call select(2), and programs that we
/// start inherit it.
#[derive(Debug)]
pub struct AllowMany {
    before: Rlimit,
}

impl AllowMany {
    /// Raises the soft limit to the hard one.
    #[must_use]
    pub fn descriptors() -> Self {
        let before = getrlimit(Resource::Nofile);
        let Rlimit { current, maximum } = before;
        if current != maximum {
            // Having too few after all is an error by itself.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        }
        Self { before }
    }
}

impl Drop for AllowMany {
    fn drop(&mut self) {
        if self.before.current != self.before.maximum {
            let _ = setrlimit(Resource::Nofile, self.before);
        }
    }
}
