//! Progress on standard error: bars where it is a terminal, nothing elsewhere.

use std::io::{self, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::message;

/// A bar that counts bytes, or a spinner where the total is unknown.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Starts a bar for `what`; invisible unless progress is wanted.
    #[must_use]
    pub fn bytes(what: &str, total_bytes: Option<u64>) -> Self {
        if !message::wants_progress() {
            return Self(ProgressBar::hidden());
        }
        let bar = match total_bytes {
            Some(total) => ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
        };
        let template = match total_bytes {
            Some(_) => "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{prefix} {spinner} {bytes} {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(format!("{}: {}", message::tool(), crate::name::show(what)));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Counts what is read through `inner`.
    pub fn reading<R: Read>(&self, inner: R) -> Reading<R> {
        Reading { inner, bar: self.0.clone() }
    }

    /// Counts `len_bytes` more.
    pub fn add(&self, len_bytes: u64) {
        self.0.inc(len_bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A reader whose bytes are counted.
#[derive(Debug)]
pub struct Reading<R> {
    inner: R,
    bar: ProgressBar,
}

impl<R: Read> Read for Reading<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.bar.inc(len as u64);
        Ok(len)
    }
}
