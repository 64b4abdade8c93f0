//! How deep a tree may be.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process have as many descriptors as it may: a comparison keeps two open
/// for each level of the trees, and the usual soft limit of 1024 is there for programs
/// that call select(2). Programs that it starts inherit the limit.
pub fn allow_deep_trees() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // A tree that is too deep after all is an error by itself.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
