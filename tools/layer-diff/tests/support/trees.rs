//! Two trees made by scripts, the second from a copy of the first.

use std::path::PathBuf;
use std::process::Command;

use common::layer::diff::{Error, Options};
use common::tar::{Entry, Limits, Reader, Whole};

use super::{changes, diff, try_diff};

/// Trees `a` and `b`: what `before` makes, and what `after` makes of a copy of it.
#[derive(Debug)]
pub(crate) struct Trees {
    pub(crate) scratch: tempfile::TempDir,
}

impl Trees {
    pub(crate) fn new(before: &str, after: &str) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let script = format!(
            "mkdir a; cd a; {before}\n find . -exec touch -h -d '2020-01-02 03:04:05.25' {{}} +; \
             cd ..; cp -a a b; cd b; {after}"
        );
        let status = Command::new("bash").arg("-ec").arg(script).current_dir(&scratch).status();
        assert!(status.unwrap().success());
        Self { scratch }
    }

    pub(crate) fn a(&self) -> PathBuf {
        self.scratch.path().join("a")
    }

    pub(crate) fn b(&self) -> PathBuf {
        self.scratch.path().join("b")
    }

    /// All changes but that of the root.
    pub(crate) fn changes(&self, options: &Options) -> Vec<String> {
        let mut all = changes(Some(&self.a()), &self.b(), options);
        all.retain(|line| !line.starts_with("C  ") && line != "C");
        all
    }

    pub(crate) fn layer(&self, options: &Options) -> Vec<u8> {
        diff(Some(&self.a()), &self.b(), options)
    }

    pub(crate) fn error(&self, options: &Options) -> Error {
        try_diff(Some(&self.a()), &self.b(), options).unwrap_err()
    }
}

/// The members of a layer.
pub(crate) fn entries(layer: &[u8]) -> Vec<Entry> {
    let mut reader = Reader::new(layer, Limits::default(), Whole::ByMarker);
    std::iter::from_fn(|| reader.next_entry().unwrap()).collect()
}
