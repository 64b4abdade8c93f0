//! `layer-ls`: list what layers and images hold.
//!
//! Layers are listed member by member (`list`), images as the tree that their layers make
//! (`image`, which `rows` shows).

mod cat;
mod cli;
mod image;
mod list;
mod rows;

use std::ffi::OsString;
use std::io::Write as _;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::compression::Decoder;
use common::options::BareLayers;
use common::progress::Progress;
use common::stream::{self, Input, Output, Payload};
use common::tar::{self, Limits, Reader};

use cli::Cli;
use list::{Form, Total};

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
        .mut_arg("allow_missing_end", |end| end.conflicts_with("inside"))
        .mut_arg("dir", |store| store.requires("inside"))
}

/// Runs the tool on parsed arguments. A layer that cannot be read is told of, and
/// the others are listed.
///
/// # Errors
/// Whatever keeps it from listing anything.
///
/// # Streams
/// Reads standard input where no layer is named, and writes to standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    match (&cli.image, &cli.cat) {
        (Some(image), _) => image::list(&cli, image),
        (_, Some(image)) => cat::write(&cli, image),
        (None, None) => list_layers(cli),
    }
}

fn list_layers(cli: Cli) -> Result<Status, Failure> {
    cli.registries.options([])?;
    stream::at_most_one_standard(cli.operands.iter().map(OsString::as_os_str))?;
    let form = match (cli.long, cli.json) {
        (true, _) => Form::Long,
        (_, true) => Form::Json,
        _ => Form::Names { end: if cli.null { 0 } else { b'\n' } },
    };
    let layers = match cli.operands.is_empty() {
        true => vec![OsString::from("-")],
        false => cli.operands,
    };
    let mut output = Output::standard(Payload::Text)?;
    let mut status = Status::DONE;
    let is_one_of_several = layers.len() > 1;
    let mut separator = "";
    for layer in &layers {
        let listed = open(layer).and_then(|input| {
            if is_one_of_several && form == Form::Long {
                let label = common::name::show_path(layer);
                writeln!(output, "{separator}{label}:").map_err(Problem::Output)?;
                separator = "\n";
            }
            let layer = is_one_of_several.then_some(layer);
            list_layer(input, cli.bare, form, layer, &mut output)
        });
        match listed {
            Ok(()) => {}
            Err(Problem::Output(error)) => return Err(stream::Error::StandardOutput(error).into()),
            Err(Problem::Layer(failure)) => {
                failure.report();
                status = Status::FAILED;
            }
        }
    }
    output.commit()?;
    Ok(status)
}

/// Why a layer is not listed: of its own, or because nothing can be printed.
enum Problem {
    Layer(Failure),
    Output(std::io::Error),
}

/// Opened before its heading is printed, so that none stands over nothing.
fn open(layer: &OsString) -> Result<Input, Problem> {
    Input::open(layer, Payload::Binary).map_err(|error| Problem::Layer(error.into()))
}

fn list_layer(
    input: Input,
    bare: BareLayers,
    form: Form,
    layer: Option<&OsString>,
    output: &mut Output,
) -> Result<(), Problem> {
    let layer = layer.map(OsString::as_os_str);
    let label = input.label();
    let bad = |error: std::io::Error| Problem::Layer(Failure::about(&label, error));
    let malformed = |error: tar::Error| Problem::Layer(Failure::about(&label, error));
    let progress = Progress::bytes(&label, input.len_bytes());
    let growth = bare.max_size().growth(input.len_bytes());
    let decoder = Decoder::new(progress.reading(input), growth).map_err(bad)?;
    let mut reader = Reader::new(decoder, Limits::default(), bare.whole());
    let is_terminal = output.is_terminal();
    let mut total = Total::default();
    while let Some(entry) = reader.next_entry().map_err(malformed)? {
        list::write(output, &entry, form, layer, is_terminal).map_err(Problem::Output)?;
        total.add(&entry);
    }
    let decoder = reader.finish().map_err(malformed)?;
    decoder.into_inner().finish().map_err(bad)?;
    if form == Form::Long {
        writeln!(output, "{total}").map_err(Problem::Output)?;
    }
    Ok(())
}
