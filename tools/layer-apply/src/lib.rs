//! `layer-apply`: apply layers to a directory.

mod cli;
mod directory;
mod source;

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use clap::{ArgMatches, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::human::count;
use common::layer::apply::{self, Devices, Form, Lowers, NotKept, Options, Ownership, SetId};
use common::layer::diff::XattrRules;
use common::message;
use common::mount::Namespace;
use common::name::show;
use common::root::Root;
use common::sandbox;
use common::stream::{self, Output, Payload};

use cli::{Cli, OverlayNamespace};
use directory::Directory;
use source::Source;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked. A directory that was made for
/// the purpose is then removed again.
///
/// # Streams
/// Reads a layer or an archive from standard input where one is asked for; writes
/// the DiffID of each layer to standard output, one a line.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    let expected = cli.expected()?;
    if cli.map_users && Ownership::of_process() == Ownership::Drop {
        // The status of a runner is for tools that run a command.
        let again = sandbox::again_with_many_ids(common::cli::arguments())
            .map_err(|error| Failure::from(error).with_status(Status::FAILED))?;
        if let Some(status) = again {
            return Ok(status);
        }
    }
    let options = options(&cli)?;
    let mut output = Output::standard(Payload::Text)?;
    let sources = Source::open_all(&cli, expected)?;
    if cli.overlay.is_some() && sources.len() != 1 {
        return Err(Failure::usage("--overlay takes one layer"));
    }
    let directory = Directory::open(&cli.directory)?;
    if cli.overlay.is_some() && !directory.is_empty()? {
        let text = "not empty: a layer in overlay form needs a directory of its own";
        return Err(directory.failure(text));
    }

    let several = sources.len() > 1;
    let mut not_kept = NotKept::default();
    for source in sources {
        let label = source.label().to_owned();
        let applied = source
            .apply(directory.root(), &options)
            .map_err(|failure| name_layer(failure, &label, several))?;
        not_kept.add(&applied.summary.not_kept);
        let entries = count(applied.summary.entries, "entry", "entries");
        let bytes = count(applied.summary.len_bytes, "byte", "bytes");
        message::verbose(format_args!("{label}: {entries}, {bytes}"));
        writeln!(output, "{}", applied.diff_id).map_err(stream::Error::StandardOutput)?;
    }
    for line in not_kept.lines() {
        message::warning(line);
    }
    output.commit()?;
    directory.keep();
    Ok(Status::DONE)
}

/// An error that names the entry or, where there is none or there are several
/// layers, the layer.
fn name_layer(error: source::Error, label: &str, several: bool) -> Failure {
    let error = match error {
        source::Error::Apply(error) => error,
        source::Error::Image(error) => return Failure::about(label, error),
    };
    let lacks_privilege = error.lacks_privilege();
    let xattr = error.refused_xattr().map(|name| show(name).to_string());
    let failure = match error {
        apply::Error::Entry { .. } if !several => Failure::from(error),
        error => Failure::about(label, error),
    };
    if let Some(name) = xattr {
        return failure.hint(format!("--xattrs '!{name}' leaves it out"));
    }
    if lacks_privilege {
        return failure.hint(
            "--no-same-owner keeps all files for yourself, and leaves out devices; \
                   --map-users has others as subordinate ids",
        );
    }
    failure
}

fn options(cli: &Cli) -> Result<Options, Failure> {
    let ownership = match (cli.same_owner, cli.no_same_owner) {
        (true, _) => Ownership::Keep,
        (_, true) => Ownership::Drop,
        _ => Ownership::of_process(),
    };
    let form = match cli.overlay {
        None => Form::Plain,
        Some(namespace) => Form::Overlay {
            namespace: match namespace {
                OverlayNamespace::Trusted => Namespace::Trusted,
                OverlayNamespace::User => Namespace::User,
                OverlayNamespace::Auto => Namespace::native(),
            },
            // Given base first, wanted uppermost first.
            lowers: Lowers::from(
                cli.lower.iter().rev().map(|dir| open_lower(dir)).collect::<Result<Vec<_>, _>>()?,
            ),
        },
    };
    // As tar(1) without -p. Otherwise root's, and those of a user with many ids among
    // them, would let everybody act as that user.
    let set_id = match ownership == Ownership::Keep && !cli.map_users {
        true => SetId::Keep,
        false => SetId::Drop,
    };
    let mut xattrs = XattrRules::default();
    cli.xattrs.iter().for_each(|pattern| xattrs.push(pattern.as_bytes()));
    Ok(Options {
        ownership,
        set_id,
        devices: Devices::Make,
        xattrs,
        form,
        keep_dirlinks: cli.keep_dirlinks,
        drop_estargz: cli.drop_estargz,
        limits: cli.limits(),
        max_size: cli.bare.max_size(),
        whole: cli.bare.whole(),
    })
}

fn open_lower(dir: &std::path::Path) -> Result<Root, Failure> {
    Root::open(dir).map_err(|error| Failure::about(common::name::show_path(dir), error))
}
