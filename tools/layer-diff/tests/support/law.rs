//! On how many generated values each law is tried, on which, and where.

use std::path::Path;

use proptest::test_runner::{Config, RngSeed};
use rustix::fs::XattrFlags;

/// As many cases as `LAYERUTILS_TEST_CASES` says, otherwise `usual`: the same in every
/// run, unless `PROPTEST_RNG_SEED` asks for others.
pub(crate) fn config(usual: u32) -> Config {
    let cases = std::env::var("LAYERUTILS_TEST_CASES").ok().and_then(|text| text.parse().ok());
    let rng_seed = match Config::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(0),
        asked => asked,
    };
    Config {
        cases: cases.unwrap_or(usual),
        rng_seed,
        failure_persistence: None,
        ..Config::default()
    }
}

/// A folder for one case: in memory, where that takes attributes as a disk does and
/// TMPDIR does not say otherwise. It is made and removed thousands of times.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if std::env::var_os("TMPDIR").is_none() {
        if let Ok(folder) = tempfile::tempdir_in(memory) {
            let marked = rustix::fs::setxattr(folder.path(), "user.law", b"", XattrFlags::empty());
            if marked.is_ok() {
                return folder;
            }
        }
    }
    tempfile::tempdir().unwrap()
}
