//! Hints and exit statuses for errors. A hint is given only if the tool has the option
//! that the hint names.

use std::error::Error;
use std::sync::OnceLock;

use clap::Command;

use crate::compression::TooLarge;
use crate::errors::causes;
use crate::image::{self, InvalidReference};
use crate::status::Status;
use crate::store::{self, Name};
use crate::{mount, oci, sandbox, stream, tar};

/// As [`OPTIONS`] has it where `--output` takes a file, and not a destination of some kind.
const OUTPUT_FILE: &str = "output=FILE";

/// The long options of the tool.
static OPTIONS: OnceLock<Vec<String>> = OnceLock::new();

/// Where a crate above this one looks for the hint for an error of its own.
type Source = fn(&(dyn Error + 'static)) -> Option<String>;

static MORE: OnceLock<Source> = OnceLock::new();

/// Has `source` asked for hints too. The first one stays.
pub fn add_hints(source: Source) {
    let _ = MORE.set(source);
}

/// Whether the tool has an option of this name, which a hint may then give.
#[must_use]
pub fn has_option(name: &str) -> bool {
    has(name)
}

/// Notes the options that hints may name.
pub(super) fn set_options(command: &Command) {
    let mut options = Vec::new();
    for option in command.get_arguments() {
        let Some(long) = option.get_long() else { continue };
        options.push(long.to_owned());
        let values = option.get_value_names().unwrap_or_default();
        options.extend(values.iter().map(|value| format!("{long}={value}")));
    }
    let _ = OPTIONS.set(options);
}

/// The hint for `error` or for what caused it.
pub(super) fn of(error: &(dyn Error + 'static)) -> Option<String> {
    let more = || MORE.get().and_then(|more| causes(error).find_map(more));
    causes(error)
        .find_map(|error| of_option(error).or_else(|| of_kind(error).filter(|hint| fits(hint))))
        .or_else(more)
}

/// Whether the tool has each option that a hint of the library names. One that follows
/// the name of a program is that program's.
fn fits(hint: &str) -> bool {
    const PROGRAMS: [&str; 5] = ["chmod", "fuser", "modprobe", "systemd-run", "usermod"];
    let mut is_ours = true;
    hint.split_whitespace().map(|word| word.trim_matches(['(', ')', ',', ':', ';'])).all(|word| {
        let is_program = PROGRAMS.contains(&word) || word.starts_with("img-");
        match word.strip_prefix("--") {
            Some(option) => !is_ours || has(option.split('=').next().unwrap_or(option)),
            None => {
                is_ours &= !is_program;
                true
            }
        }
    })
}

/// The status of a tool that ends with `error`.
pub(super) fn status_of(error: &(dyn Error + 'static)) -> Status {
    error.downcast_ref().map_or(Status::FAILED, sandbox::Error::status)
}

/// Returns the hint that the error itself carries.
fn of_kind(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<sandbox::Error>() {
        return error.hint().map(Into::into);
    }
    if let Some(error) = error.downcast_ref::<mount::Error>() {
        return error.hint().map(Into::into);
    }
    if let Some(tar::Error::Image) = error.downcast_ref() {
        return Some(match has("image") {
            true => "name it as an image: --image docker-archive:FILE, or --image -".into(),
            false => "put it into the store: img-copy docker-archive:FILE NAME".into(),
        });
    }
    if let Some(image::Error::Store(store::Error::NoImage { name, .. })) = error.downcast_ref() {
        return pull(name);
    }
    error.downcast_ref::<InvalidReference>()?.hint()
}

/// Returns the command that pulls an image of this name.
fn pull(name: &str) -> Option<String> {
    let (bare, _) = name.split_once('@').unwrap_or((name, ""));
    // One that may be pulled was asked for in vain.
    let is_name = bare.parse::<Name>().is_ok() && !has("pull");
    is_name.then(|| format!("pull it first: img-copy docker://{name} {bare}"))
}

/// The option that helps, where the tool has it.
fn of_option(error: &(dyn Error + 'static)) -> Option<String> {
    let (option, hint) = if error.is::<TooLarge>() {
        ("max-size", "allow more with --max-size SIZE")
    } else if let Some(stream::Error::OutputIsTerminal) = error.downcast_ref() {
        (OUTPUT_FILE, "or name a file with -o FILE")
    } else if let Some(tar::Error::Member { problem: tar::Problem::NoEnd, .. }) =
        error.downcast_ref()
    {
        ("allow-missing-end", "if it is known to be whole, use --allow-missing-end")
    } else if let Some(oci::Error::DockersZstd) = error.downcast_ref() {
        ("compress", "use --compress gzip, or --format oci")
    } else {
        return None;
    };
    has(option).then(|| hint.to_owned())
}

fn has(option: &str) -> bool {
    OPTIONS.get().is_some_and(|options| options.iter().any(|one| one == option))
}
