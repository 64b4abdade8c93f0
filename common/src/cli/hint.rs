//! Hints for errors that many tools meet: the option that helps, if this tool has it.

use std::error::Error;
use std::sync::OnceLock;

use clap::Command;

use crate::compression::TooLarge;
use crate::tar;

/// The long options of the tool.
static OPTIONS: OnceLock<Vec<String>> = OnceLock::new();

/// Notes the options that hints may name.
pub(super) fn set_options(command: &Command) {
    let options = command.get_arguments().filter_map(|option| option.get_long());
    let _ = OPTIONS.set(options.map(str::to_owned).collect());
}

/// The hint for `error` or for what caused it.
pub(super) fn of(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut found = causes(error).filter_map(known).filter(|(option, _)| has(option));
    found.next().map(|(_, hint)| hint)
}

/// The first error of this type among `error` and what caused it.
pub fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    causes(error).find_map(|error| error.downcast_ref())
}

/// An error and what caused it, one after the other.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // The source of an error of I/O is not what it wraps but the source of that.
        match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
}

/// The option that helps, and the hint.
fn known(error: &(dyn Error + 'static)) -> Option<(&'static str, &'static str)> {
    if error.is::<TooLarge>() {
        return Some(("max-size", "allow more with --max-size SIZE"));
    }
    match error.downcast_ref::<tar::Error>() {
        Some(tar::Error::Member { problem: tar::Problem::NoEnd, .. }) => {
            Some(("allow-missing-end", "if it is known to be whole, use --allow-missing-end"))
        }
        _ => None,
    }
}

fn has(option: &str) -> bool {
    OPTIONS.get().is_some_and(|options| options.iter().any(|one| one == option))
}
