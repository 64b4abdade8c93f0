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
    let mut next = Some(error);
    while let Some(error) = next {
        let found = known(error).filter(|(option, _)| has(option));
        if let Some((_, hint)) = found {
            return Some(hint);
        }
        // The source of an error of I/O is not what it wraps but the source of that.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
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
