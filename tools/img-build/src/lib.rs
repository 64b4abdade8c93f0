//! `img-build`: build an image from a Containerfile.

mod cache;
mod cli;
mod context;
mod error;
mod executor;
mod frontend;
mod glob;
mod graph;
mod input;
mod place;
mod reporter;
mod result;
mod scratch;
mod step;
mod tree;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::containerfile::Containerfile;
use common::image::{self, Destination, Image, Reference};
use common::message;
use common::oci::{Descriptor, Platform};
use common::stream::{self, Output, Payload};
use common::time;

use cache::Cache;
use cli::{Cli, Print};
use error::Error;
use executor::mounts::Secret;
use executor::{Clock, Executor};
use frontend::Request;
use graph::Graph;
use input::Inputs;
use place::Place;
use reporter::Reporter;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    // As docker's: what everybody types in a script.
    Cli::command().mut_arg("quiet", |quiet| quiet.short('q'))
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = Cli::from_arg_matches(matches)?;
    let destination = cli.destination.as_deref().map(Destination::parse).transpose()?;
    if let Some(destination) = &destination {
        destination.check()?;
    }
    // The status of a runner is for tools that run a command.
    let again = cli.users.apply().map_err(|failure| failure.with_status(Status::FAILED))?;
    if let Some(status) = again {
        return Ok(status);
    }
    let labels = cli.labels.iter().map(|text| label(text)).collect::<Result<Vec<_>, _>>()?;
    let platforms = platforms(&cli);
    let secrets = cli.secrets.iter().map(|text| secret(text)).collect::<Result<_, _>>()?;
    let cache = common::cache::dir();
    if let Some(cache) = &cache {
        // What a killed build left takes room, and nothing else.
        let _ = common::scratch::remove_dead(&common::scratch::folder(cache));
    }
    let inputs = input::open(&cli, cache.as_deref()).map_err(failure)?;
    let graphs = graphs(&cli, &inputs, &platforms).map_err(failure)?;
    if let Some(Print::Plan) = cli.print {
        return print(&graphs);
    }
    let place = Place::open(&cli, cache).map_err(failure)?;
    let images = build(&cli, &inputs, graphs, &place, &secrets, &labels)?;
    let image = result::join(images, &place.store)?;
    result::deliver(&image, &cli.names, destination.as_ref(), &place.store)?;
    if !destination.as_ref().is_some_and(Destination::is_standard) {
        let mut output = Output::standard(Payload::Text)?;
        writeln!(output, "{}", image.digest).map_err(stream::Error::StandardOutput)?;
        output.commit()?;
    }
    Ok(Status::DONE)
}

/// What is to be built for each platform; nothing is built yet.
fn graphs(cli: &Cli, inputs: &Inputs, platforms: &[Platform]) -> Result<Vec<Graph>, Error> {
    let Inputs { text, label, .. } = inputs;
    let file = Containerfile::parse(text)
        .map_err(|source| Error::Syntax { file: label.clone(), source })?;
    if let Some(syntax) = &file.directives.syntax {
        message::verbose(format!("syntax={syntax}: our own frontend is used"));
    }
    let request = Request {
        file: &file,
        label,
        arguments: &cli.build_args,
        target: cli.target.as_deref(),
        network: cli.network,
    };
    let open = |name: &str, platform: &Platform| -> Result<Image, Error> {
        let reference = Reference::parse(OsStr::new(name))?;
        Ok(image::open(&reference, Some(platform), &cli.store)?)
    };
    platforms.iter().map(|platform| frontend::graph(&request, platform, &open)).collect()
}

/// The time of the build, which `--build-arg` may set as the environment does.
fn clock(arguments: &[String]) -> Result<Clock, Failure> {
    let arguments = frontend::scope::parse(arguments);
    let epoch = arguments.get(frontend::scope::EPOCH).map(|text| time::parse_epoch(text));
    let epoch = epoch.transpose()?.flatten();
    Ok(Clock { now: epoch.unwrap_or_else(time::clock), epoch })
}

/// `--print plan`.
fn print(graphs: &[Graph]) -> Result<Status, Failure> {
    let mut output = Output::standard(Payload::Text)?;
    for graph in graphs {
        write!(output, "{graph}").map_err(stream::Error::StandardOutput)?;
    }
    output.commit()?;
    Ok(Status::DONE)
}

/// Runs the graphs, one platform after the other; the images, in the store.
fn build(
    cli: &Cli,
    inputs: &Inputs,
    graphs: Vec<Graph>,
    place: &Place,
    secrets: &BTreeMap<String, Secret>,
    labels: &[(String, String)],
) -> Result<Vec<Descriptor>, Failure> {
    let context_dir = std::fs::canonicalize(&cli.context).unwrap_or_default();
    let identity = format!("{}\n{}", context_dir.display(), inputs.label);
    // The results of steps are found by their store, which may be gone after this.
    let base = place.cache.as_deref().filter(|_| place.is_lasting());
    let cache = Cache::new(base, place.store.path(), cli.no_cache);
    let clock = clock(&cli.build_args)?;
    let of_several = graphs.len() > 1;
    let unused = graphs.last().map(|graph| graph.unused_arguments.clone()).unwrap_or_default();
    let mut images = Vec::new();
    for graph in graphs {
        let reporter = Reporter::new(&graph, of_several, cli.explain);
        let executor = Executor {
            place,
            cache: &cache,
            context: &inputs.context,
            secrets,
            reporter: &reporter,
            clock,
            identity: &identity,
        };
        let progress = executor.run(&graph).map_err(failure)?;
        images.push(result::assemble(graph, progress, labels, clock.now, &place.store)?);
    }
    inputs.context.save();
    for name in unused {
        message::warning(format!("--build-arg {name}: no ARG asks for it"));
    }
    Ok(images)
}

/// The platforms to build for, each once.
fn platforms(cli: &Cli) -> Vec<Platform> {
    let mut platforms: Vec<Platform> = Vec::new();
    for platform in &cli.platforms {
        if !platforms.contains(platform) {
            platforms.push(platform.clone());
        }
    }
    if platforms.is_empty() { vec![Platform::host()] } else { platforms }
}

fn label(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some(("", _)) => Err(Failure::usage(format!("--label '{text}': the name is missing"))),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Ok((text.to_owned(), String::new())),
    }
}

/// `id=ID,src=FILE`, as docker takes it.
fn secret(text: &str) -> Result<(String, Secret), Failure> {
    let fields: BTreeMap<&str, &str> =
        text.split(',').map(|field| field.split_once('=').unwrap_or((field, ""))).collect();
    let path = fields.get("src").or_else(|| fields.get("source"));
    let known = ["id", "src", "source", "type"];
    let is_file = fields.get("type").is_none_or(|kind| *kind == "file");
    match (fields.get("id"), path) {
        (Some(id), Some(path))
            if is_file && !id.is_empty() && fields.keys().all(|key| known.contains(key)) =>
        {
            Ok(((*id).to_owned(), Secret::new(PathBuf::from(path))))
        }
        _ => Err(Failure::usage(format!("--secret '{text}': it must be id=ID,src=FILE"))),
    }
}

/// A failure of the build, with the hint of what lies below it.
fn failure(error: Error) -> Failure {
    let hint = error.hint().map(Cow::into_owned);
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
