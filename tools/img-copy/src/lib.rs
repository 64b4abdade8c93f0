//! `img-copy`: copy an image from one place to another.

mod cli;
mod compressed;
mod convert;
mod copy;
mod place;
mod recode;
mod registry;
mod target;
mod tree;

use std::io::Write as _;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::compression::Format;
use common::errors::cause;
use common::image::{Destination, Found};
use common::layer::verify;
use common::store::{Name, Store};
use common::stream::{self, Output, Payload};

use crate::convert::Wishes;
use crate::copy::Layers;
use crate::place::{Place, Source};
use crate::registry::{Access, Options, RegistryReference, Repository};
use crate::target::{Archive, Layout, Problem, Registry, Target};
use crate::tree::Node;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    cli::Cli::command()
}

/// Runs the tool on parsed arguments.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
///
/// # Streams
/// Reads an archive from standard input for `-`; writes the manifest's digest, or for
/// `-` the archive, to standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = cli::Cli::from_arg_matches(matches)?;
    let source = Source::parse(&cli.source)?;
    let place = Place::parse(&cli.destination)?;
    let (pulling, pushing) = place::options(&cli.registries, &source, &place)?;
    let wishes = wishes(&cli, &place)?;
    if let Place::Elsewhere(destination) = &place {
        destination.check()?;
    }

    let (found, repository) = source.find(&cli.location, &pulling)?;
    let found = found.with_max_size(cli.limit.max_size());
    let root = match cli.all {
        true => Node::all(&found),
        false => found.image(cli.platform.as_ref()).map(Node::of),
    };
    let root = root.map_err(|error| source.failure(error))?;
    let failure = |problem| about(problem, &source, &place);
    copy::check(&root, &wishes).map_err(failure)?;
    // Whoever compresses a layer anew has to know what it is.
    let may_trust = copy::is_exact(&root, &wishes);

    let others = |to: &RegistryReference| others(to, &found, repository.as_deref());
    let target = target(&cli, &place, &found, others, &pushing)?;
    let between_registries = repository.is_some() && matches!(place, Place::Registry(_));
    let layers = match cli.no_verify_layers || between_registries {
        true => Layers::Trusted,
        false => Layers::Verified,
    };
    let copied = copy::copy(&found, &root, &wishes, layers, target.as_ref());
    let digest = copied.map_err(|problem| {
        let is_layer = cause::<verify::Error>(&problem).is_some();
        let failure = failure(problem);
        match is_layer && may_trust && failure.hint_text().is_none() {
            true => failure.hint("--no-verify-layers copies the image as it is"),
            false => failure,
        }
    })?;
    if !place.is_standard() {
        let mut output = Output::standard(Payload::Text)?;
        writeln!(output, "{digest}").map_err(stream::Error::StandardOutput)?;
        output.commit()?;
    }
    Ok(Status::DONE)
}

fn wishes(cli: &cli::Cli, place: &Place) -> Result<Wishes, Failure> {
    let compress = cli.compress.map(Format::from);
    // Registries expect it, and many readers of theirs know nothing else.
    let plain = match place {
        Place::Registry(_) => Format::Gzip,
        _ => Format::None,
    };
    if let Some(level) = cli.level {
        match compress.and_then(Format::levels) {
            None => return Err(Failure::usage("--level needs --compress=gzip or zstd")),
            Some(levels) if !levels.contains(&level) => {
                let (first, last) = (levels.start(), levels.end());
                let text = format!("--level {level}: there are levels {first} to {last}");
                return Err(Failure::usage(text));
            }
            Some(_) => {}
        }
    }
    let max_size = cli.limit.max_size();
    Ok(Wishes { compress, plain, format: cli.format, max_size })
}

fn target(
    cli: &cli::Cli,
    place: &Place,
    found: &Found,
    others: impl Fn(&RegistryReference) -> Vec<String>,
    options: &Options,
) -> Result<Box<dyn Target>, Failure> {
    let level = cli.level;
    Ok(match place {
        Place::Store(name) => {
            Box::new(Layout { store: cli.location.create()?, names: vec![name.to_string()], level })
        }
        Place::Elsewhere(Destination::Layout { dir, name }) => {
            let names = match name {
                Some(name) => vec![name.clone()],
                None => names(found).iter().map(Name::to_string).collect(),
            };
            Box::new(Layout { store: Store::create(dir)?, names, level })
        }
        Place::Elsewhere(Destination::Archive { file, name }) => {
            let names = name.clone().map_or_else(|| names(found), |name| vec![name]);
            Box::new(Archive::new(file.clone(), names, level))
        }
        Place::Registry(reference) => {
            let others = others(reference);
            let repository = Repository::connect(reference, Access::Push, &others, options);
            let repository = repository.map_err(|error| place::about(reference, error))?;
            Box::new(Registry { repository, reference: reference.clone(), others, level })
        }
    })
}

/// An archive or layout that was given no name keeps those that the image has where
/// it comes from, as `docker save` keeps them.
fn names(found: &Found) -> Vec<Name> {
    found.names.iter().filter_map(|name| name.parse().ok()).collect()
}

/// Repositories of the registry of `to` that have the image already, or had it: where it
/// comes from, and what its names say.
fn others(to: &RegistryReference, found: &Found, from: Option<&Repository>) -> Vec<String> {
    let named = found.names.iter().filter_map(|name| to.repository_of(name));
    let mut others: Vec<String> =
        from.and_then(|from| to.repository_beside(from)).into_iter().chain(named).collect();
    others.dedup();
    others
}

fn about(problem: Problem, source: &Source, place: &Place) -> Failure {
    match (problem, place) {
        (Problem::Source(error), _) => source.failure(error),
        (Problem::Registry(error), Place::Registry(reference)) => place::about(reference, error),
        (Problem::OtherDigest(digest), Place::Registry(reference)) => {
            Failure::about(reference, Problem::OtherDigest(digest))
                .hint("name a tag instead, or copy without --compress and --format")
        }
        (Problem::Convert(error), _) => Failure::about(source, error),
        (other, _) => other.into(),
    }
}
