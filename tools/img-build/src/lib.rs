//! `img-build`: build an image from a Containerfile.

mod build;
mod cache;
mod cli;
mod context;
mod error;
mod glob;
mod input;
mod place;
mod plan;
mod result;
mod scope;
mod scratch;
mod state;
mod step;
mod tree;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status, message};
use common::containerfile::Containerfile;
use common::image::Destination;
use common::oci::Platform;
use common::stream::{self, Output, Payload};
use common::time;

use build::Builder;
use cache::Cache;
use cli::Cli;
use error::Error;
use plan::Stages;
use scope::Scope;
use step::mounts::Secret;

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
    let mut builder = plan(&cli, &platforms)?;
    let mut images = Vec::new();
    for platform in &platforms {
        let state = builder.build(platform).map_err(failure)?;
        images.push(result::assemble(state, &labels, builder.now, &builder.store)?);
    }
    builder.context.save();
    for name in builder.scope.unused() {
        message::warning(format!("--build-arg {name}: no ARG asks for it"));
    }
    let image = result::join(images, &builder.store)?;
    result::deliver(&image, &cli.names, destination.as_ref(), &builder.store)?;
    if !destination.as_ref().is_some_and(Destination::is_standard) {
        let mut output = Output::standard(Payload::Text)?;
        writeln!(output, "{}", image.digest).map_err(stream::Error::StandardOutput)?;
        output.commit()?;
    }
    Ok(Status::DONE)
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

/// Opens and checks everything; nothing is built yet.
fn plan(cli: &Cli, platforms: &[Platform]) -> Result<Builder, Failure> {
    let secrets = cli.secrets.iter().map(|text| secret(text)).collect::<Result<_, _>>()?;
    let cache_dir = common::cache::dir();
    if let Some(cache) = &cache_dir {
        // What a killed build left takes room, and nothing else.
        let _ = common::scratch::remove_dead(&common::scratch::folder(cache));
    }
    let inputs = input::open(cli, cache_dir.as_deref()).map_err(failure)?;
    let input::Inputs { text, label, context } = inputs;
    let file = Containerfile::parse(&text)
        .map_err(|source| Error::Syntax { file: label.clone(), source })?;
    let context_dir = std::fs::canonicalize(&cli.context).unwrap_or_default();
    let identity = format!("{}\n{label}", context_dir.display());
    let (store, own_store) = place::open(cli, cache_dir.as_deref()).map_err(failure)?;
    // The results of steps are found by their store, which is gone after this.
    let base = cache_dir.as_deref().filter(|_| own_store.is_none());
    Ok(Builder {
        location: cli.store.clone(),
        cache: Cache::new(base, store.path(), cli.no_cache),
        store: Arc::new(store),
        _own_store: own_store,
        cache_dir,
        max_size: cli.limit.max_size(),
        context,
        names: Stages::of(&file),
        file,
        label,
        identity,
        arguments: cli.build_args.clone(),
        target: cli.target.clone(),
        // Of each platform in turn.
        scope: Scope::default(),
        platform: Platform::host(),
        of_several: platforms.len() > 1,
        network: cli.network,
        secrets,
        explain: cli.explain,
        now: time::now()?,
        states: Vec::new(),
        images: HashMap::new(),
        step: 0,
        steps: 0,
        step_name: String::new(),
    })
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
