//! What unit tests of several modules need.

use std::io::{Write as _, stderr};

/// Says that a test, or what is left of it, is not run: past the test runner, which
/// captures `eprintln!`.
pub(crate) fn skip(why: &str) {
    let _ = writeln!(stderr(), "SKIPPED: {why}");
}
