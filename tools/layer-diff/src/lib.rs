//! `layer-diff`: compute a layer from two directory trees, from an overlay upper directory,
//! or from two images.

mod cli;
mod images;
mod list;
mod meter;
mod plan;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::compression::Format;
use common::descriptors::AllowMany;
use common::human::count;
use common::layer::diff::{LayerWriter, Owner, PipedLayer, Reason, Summary};
use common::message;
use common::name::show;
use common::options::Compress;
use common::progress::Progress;
use common::sandbox;
use common::stream::Payload;

use cli::Cli;
use list::{Json, Lines};
use meter::Meter;
use plan::{Form, Plan};

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    // Lines are not compressed.
    Cli::command()
        .mut_arg("compress", |compress| compress.conflicts_with_all(["list", "json"]))
        .mut_arg("dir", |store| store.requires("image"))
        .mut_arg("max_size", |size| size.requires("image"))
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
///
/// # Streams
/// Writes the layer, or the list of changes, to standard output unless `-o` names a
/// file.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    let map_users = cli.map_users;
    let plan = Plan::new(cli)?;
    // Root reads everything as it is.
    if map_users && Owner::of_caller() != Owner::Kept {
        if let Some(status) = sandbox::again_with_many_ids(common::cli::arguments())? {
            return Ok(status);
        }
    }
    // A comparison keeps two open for each level of the trees.
    let _many = AllowMany::descriptors();
    let summary = match plan.form {
        Form::Layer(compress) => write_layer(&plan, compress)?,
        Form::Lines { end } => {
            let mut stream = plan.open(Payload::Text)?;
            let is_terminal = stream.is_terminal();
            let mut lines = Lines::new(&mut stream, end, is_terminal);
            let summary = plan.tell(&mut lines)?;
            lines.finish().map_err(|error| plan.write_failure(error))?;
            stream.commit()?;
            summary
        }
        Form::Json => {
            let mut stream = plan.open(Payload::Text)?;
            let summary = plan.tell(&mut Json(&mut stream))?;
            stream.commit()?;
            summary
        }
    };
    warn(&plan, &summary);
    let differ = plan.exit_code && !summary.is_empty();
    Ok(if differ { Status::NEGATIVE } else { Status::DONE })
}

fn write_layer(plan: &Plan, compress: Compress) -> Result<Summary, Failure> {
    let progress = Progress::bytes("layer", None);
    let output = plan.open(Payload::Binary)?;
    if compress.format() == Format::None && !plan.tells_digests {
        // Nobody has to see the bytes on their way.
        if let Some(pipe) = output.pipe() {
            let stream = Meter::new(output, false, Some(&progress));
            let mut layer = PipedLayer::new(stream, pipe, |len_bytes| progress.add(len_bytes));
            let summary = plan.tell(&mut layer)?;
            let (output, ..) = layer.finish().map_err(|error| plan.failure(error))?.finish();
            output.commit()?;
            return Ok(summary);
        }
    }
    // The digest of a layer that is not compressed is its DiffID.
    let has_digest = plan.tells_digests && compress.format() != Format::None;
    let stream = Meter::new(output, has_digest, Some(&progress));
    let encoder = compress.encoder(stream).map_err(|error| plan.write_failure(error))?;
    let mut layer = LayerWriter::new(Meter::new(encoder, plan.tells_digests, None));
    let summary = plan.tell(&mut layer)?;
    let layer = layer.finish().map_err(|error| plan.write_failure(error))?;
    let (encoder, diff_id, _) = layer.finish();
    let stream = encoder.finish().map_err(|error| plan.write_failure(error))?;
    let (output, digest, len_bytes) = stream.finish();
    output.commit()?;
    drop(progress);
    if let Some(diff_id) = diff_id {
        let digest = digest.as_ref().unwrap_or(&diff_id);
        message::verbose(format_args!("DiffID {diff_id}"));
        let bytes = count(len_bytes, "byte", "bytes");
        message::verbose(format_args!("digest {digest}, {bytes}"));
    }
    Ok(summary)
}

/// Tells of what was left out.
fn warn(plan: &Plan, summary: &Summary) {
    for one in &summary.passed_over {
        let hint = match one.reason {
            Reason::MountPoint if plan.mounts_were_chosen => continue,
            Reason::MountPoint => " (see --one-file-system)",
            Reason::OverlayRoot => " (see --root)",
            Reason::Socket => "",
        };
        message::warning(format_args!("{}: {}{hint}", show(&one.path), one.reason));
    }
}
