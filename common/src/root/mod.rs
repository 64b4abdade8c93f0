//! A directory that nothing reached through it can leave: contained paths.
