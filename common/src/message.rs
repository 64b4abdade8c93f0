//! Diagnostics: lines on standard error that begin with the tool's name.
//!
//! What a line quotes from an input is escaped (see [`crate::name`]), so one
//! diagnostic is always one line.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::name::show;

static TOOL: OnceLock<String> = OnceLock::new();
static QUIET: AtomicBool = AtomicBool::new(false);
static VERBOSE: AtomicBool = AtomicBool::new(false);
static COLOR: AtomicBool = AtomicBool::new(false);

pub(crate) fn set_tool(name: &str) {
    let _ = TOOL.set(name.to_owned());
}

/// The tool's name.
pub fn tool() -> &'static str {
    TOOL.get().map_or("layerutils", String::as_str)
}

/// The amount and the form of diagnostics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Neither progress nor notes.
    pub(crate) quiet: bool,
    /// Also say what is being done.
    pub(crate) verbose: bool,
    /// In colours; `None`: on a terminal that has them and whose user wants them.
    pub(crate) color: Option<bool>,
}

pub(crate) fn configure(manner: Manner) {
    QUIET.store(manner.quiet, Ordering::Relaxed);
    VERBOSE.store(manner.verbose, Ordering::Relaxed);
    COLOR.store(manner.color.unwrap_or_else(wants_color), Ordering::Relaxed);
}

fn wants_color() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stderr().is_terminal() && !dumb && !set("NO_COLOR")
}

/// Whether progress may be drawn: standard error is a terminal and nobody asked for quiet.
pub fn wants_progress() -> bool {
    !QUIET.load(Ordering::Relaxed)
        && std::io::stderr().is_terminal()
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Says why the tool ends, or why one of its operands is left out.
pub fn error(text: impl std::fmt::Display) {
    line("", "31", &text.to_string());
}

/// Says what the user can do about an error.
pub fn hint(text: impl std::fmt::Display) {
    line("hint: ", "36", &text.to_string());
}

/// Warns: the result stands, but the user should know.
pub fn warning(text: impl std::fmt::Display) {
    line("warning: ", "33", &text.to_string());
}

/// Tells something to a program that reads standard error, unless `--quiet` was asked for: a
/// line as it is, which must be JSON.
pub fn record(json: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        let _ = std::io::stderr().lock().write_all(format!("{json}\n").as_bytes());
    }
}

/// Whether `--quiet` was asked for.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Shows a line of what failed, also with `--quiet`.
pub fn detail(text: impl std::fmt::Display) {
    line("", "", &text.to_string());
}

/// Whether somebody follows what is being done: on a terminal, or with `--verbose`.
pub fn is_watched() -> bool {
    !QUIET.load(Ordering::Relaxed) && (VERBOSE.load(Ordering::Relaxed) || wants_progress())
}

/// Tells what was asked for, unless `--quiet` was too.
pub fn note(text: impl std::fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        line("", "", &text.to_string());
    }
}

/// Tells what is being done, with `--verbose` only.
pub fn verbose(text: impl std::fmt::Display) {
    if VERBOSE.load(Ordering::Relaxed) && !QUIET.load(Ordering::Relaxed) {
        line("", "", &text.to_string());
    }
}

/// Prints one line. A diagnostic that cannot be written is lost: there is no
/// better place to report it.
fn line(kind: &str, color: &str, text: &str) {
    let text = show(text);
    let tool = tool();
    let line = if COLOR.load(Ordering::Relaxed) && !color.is_empty() {
        format!("{tool}: \x1b[{color}m{kind}{text}\x1b[0m\n")
    } else {
        format!("{tool}: {kind}{text}\n")
    };
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}
