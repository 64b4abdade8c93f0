//! `img-copy`: copy images from one place to another.

mod cli;
mod compressed;
mod convert;
mod copy;
mod delta;
mod login;
mod place;
mod recode;
mod target;
mod tree;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::compression::Format;
use common::digest::Digest;
use common::errors::cause;
use common::human;
use common::image::{self, Destination, Found, Opener};
use common::layer::verify;
use common::message;
use common::oci::{self, ManifestFormat};
use common::store::{Name, Store};
use common::stream::{self, Output, Payload};
use registry::{Access, Client, Options, RegistryReference, Repository};

use crate::convert::Wishes;
use crate::copy::Layers;
use crate::place::{Place, Source};
use crate::target::{Archive, Layout, Naming, Problem, Registry, Target};
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
/// Reads an archive from standard input for `-`, or credentials for `--login`; writes the
/// manifests' digests, or for `-` the archive, to standard output.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    let cli = cli::Cli::from_arg_matches(matches)?;
    let no_operand = OsString::new();
    if let Some(host) = &cli.login {
        return login::log_in(host, &cli.registries);
    }
    let (destination, operands) = cli.operands.split_last().unwrap_or((&no_operand, &[]));
    let inputs = operands.iter().chain(&cli.have).chain(&cli.since);
    stream::at_most_one_standard(inputs.map(OsString::as_os_str))?;
    let sources: Vec<Source> =
        operands.iter().map(|source| Source::parse(source)).collect::<Result<_, _>>()?;
    let place = Place::parse(destination)?;
    if sources.len() > 1 && !place.keeps_names() {
        let text = "several images cannot have one name";
        let hint = "name a destination that keeps their names: store:, oci:DIR, or an archive";
        return Err(Failure::new(text).hint(hint));
    }
    let is_archive = matches!(place, Place::Elsewhere(Destination::Archive { .. }));
    if (cli.have.is_some() || cli.since.is_some()) && !is_archive {
        return Err(Failure::usage("--have and --since leave layers out of archives alone"));
    }
    let read = operands.iter().chain(&cli.since).map(OsString::as_os_str);
    let from = RegistryReference::hosts_of(read);
    let (pulling, pushing) = place::options(&cli.registries, &from, &place)?;
    let wishes = wishes(&cli, &sources, &place)?;
    if let Place::Elsewhere(destination) = &place {
        destination.check()?;
    }

    let mut opener = Opener::new(&cli.location, None).with_registries(Client::new(pulling.clone()));
    let there = delta::there(&cli, &mut opener)?;
    let mut copies = Vec::new();
    for source in &sources {
        let (found, repository) = source.find(&mut opener, place.keeps_names(), &pulling)?;
        for found in found {
            let found = found.with_max_size(cli.limit.max_size());
            let copy = Copy::plan(&cli, source, found, repository.clone(), &place)?;
            copy::check(&copy.root, &wishes).map_err(|problem| copy.failure(problem, &place))?;
            copies.push(copy);
        }
    }
    one_name_each(&copies)?;

    let target = target(&cli, &place, &copies, there, &pushing)?;
    let mut digests = Vec::new();
    for copy in &copies {
        digests.push(copy.run(&cli, &wishes, &place, target.as_ref())?);
    }
    let closed = target.close();
    closed.map_err(|problem| match (copies.as_slice(), problem) {
        ([copy], problem) => copy.failed(problem, &wishes, &place),
        (_, problem) => problem.into(),
    })?;
    if !place.is_standard() {
        let mut output = Output::standard(Payload::Text)?;
        for digest in digests {
            writeln!(output, "{digest}").map_err(stream::Error::StandardOutput)?;
        }
        output.commit()?;
    }
    Ok(Status::DONE)
}

/// One image to be copied.
struct Copy<'c> {
    source: &'c Source,
    found: Found,
    repository: Option<Arc<Repository>>,
    root: Node,
    naming: Naming,
}

impl<'c> Copy<'c> {
    /// Chooses what is copied of what was found: all of it, but for a pull into the store,
    /// where it is this machine's platform.
    fn plan(
        cli: &cli::Cli,
        source: &'c Source,
        found: Found,
        repository: Option<Arc<Repository>>,
        place: &Place,
    ) -> Result<Self, Failure> {
        let is_pull = repository.is_some() && matches!(place, Place::Store(_));
        let root = match cli.platforms.as_slice() {
            [] if is_pull && !cli.all => match found.image(None) {
                Err(image::Error::NotAnImage { .. }) => Node::all(&found),
                image => image.map(Node::of),
            },
            [] if cli.all => Node::all(&found),
            [] => Node::there(&found),
            platforms => Node::for_platforms(&found, platforms),
        };
        let root = root.map_err(|error| {
            let is_choice = matches!(error, image::Error::Platform { .. });
            let failure = source.failure(error);
            match is_choice && cli.platforms.is_empty() {
                true => failure.hint("choose one with --platform, or take all with --all"),
                false => failure,
            }
        })?;
        let names = match place {
            Place::Store(Some(name)) => vec![name.to_string()],
            Place::Elsewhere(Destination::Layout { name: Some(name), .. }) => vec![name.clone()],
            Place::Elsewhere(Destination::Archive { name: Some(name), .. }) => {
                vec![name.to_string()]
            }
            // As the image has them where it comes from.
            Place::Elsewhere(Destination::Layout { .. }) => found.names.clone(),
            Place::Store(None) | Place::Elsewhere(_) => names(&found),
            Place::Registry(_) => Vec::new(),
        };
        let mut naming = Naming { names, index: None };
        let is_one = root.is_manifest();
        let index = if is_one { found.index_of(&root.descriptor.digest) } else { Ok(None) };
        if let Some((index, bytes)) = index.map_err(|error| source.failure(error))? {
            let count = Found::count_images(&bytes);
            let platform = root.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            if count > 1 && cli.platforms.is_empty() {
                let all = if is_pull { "; --all takes all" } else { "" };
                let of = format!("{source}: {platform}, one platform of {count}{all}");
                match place {
                    Place::Store(_) if is_pull => message::note(of),
                    Place::Registry(_) => message::note(of),
                    _ => {}
                }
            }
            if matches!(place, Place::Store(_)) {
                naming.index = Some((index.digest, bytes));
            }
        } else if root.is_partial && cli.platforms.is_empty() {
            let count = root.manifests().len();
            let manifests = human::count(count as u64, "manifest", "manifests");
            message::note(format!("{source}: {manifests} of its index, which is not all there"));
        }
        Ok(Self { source, found, repository, root, naming })
    }

    /// Copies it; the digest of the copy.
    fn run(
        &self,
        cli: &cli::Cli,
        wishes: &Wishes,
        place: &Place,
        target: &dyn Target,
    ) -> Result<Digest, Failure> {
        let between_registries = self.repository.is_some() && matches!(place, Place::Registry(_));
        let layers = match cli.no_verify_layers || between_registries {
            true => Layers::Trusted,
            false => Layers::Verified,
        };
        let copied = copy::copy(&self.found, &self.root, wishes, layers, &self.naming, target);
        copied.map_err(|problem| self.failed(problem, wishes, place))
    }

    /// A failure on the way, with what the user can do about it.
    fn failed(&self, problem: Problem, wishes: &Wishes, place: &Place) -> Failure {
        let is_layer = cause::<verify::Error>(&problem).is_some();
        let failure = self.failure(problem, place);
        // Whoever compresses a layer anew has to know what it is.
        let may_trust = copy::is_exact(&self.root, wishes);
        match is_layer && may_trust && failure.hint_text().is_none() {
            true => failure.hint("--no-verify-layers copies the image as it is"),
            false => failure,
        }
    }

    fn failure(&self, problem: Problem, place: &Place) -> Failure {
        match (problem, place) {
            (Problem::Source(error), _) => self.source.failure(error),
            (Problem::Registry(error), Place::Registry(reference)) => {
                place::about(reference, error)
            }
            (Problem::OtherDigest(digest), Place::Registry(reference)) => {
                Failure::about(reference, Problem::OtherDigest(digest))
                    .hint("name a tag instead, or copy without --compress and --format")
            }
            (Problem::Convert(error), _) => {
                let failure = Failure::about(self.source, error);
                match self.root.is_manifest() || failure.hint_text().is_some() {
                    true => failure,
                    false => failure.hint("--platform copies one image alone"),
                }
            }
            (other, _) => other.into(),
        }
    }
}

/// Refuses images that would take each other's names.
fn one_name_each(copies: &[Copy<'_>]) -> Result<(), Failure> {
    let mut images: HashMap<&str, &Digest> = HashMap::new();
    for copy in copies {
        let digest = &copy.root.descriptor.digest;
        for name in &copy.naming.names {
            if images.insert(name, digest).is_some_and(|other| other != digest) {
                let name = common::name::show(name.as_bytes());
                return Err(Failure::new(format!("{name}: two images have this name")));
            }
        }
    }
    Ok(())
}

fn wishes(cli: &cli::Cli, sources: &[Source], place: &Place) -> Result<Wishes, Failure> {
    let compress = cli.compress.map(Format::from);
    if (compress, cli.format) == (Some(Format::Zstd), Some(ManifestFormat::Docker)) {
        return Err(oci::Error::DockersZstd.into());
    }
    // Registries expect it, and many readers of theirs know nothing else; what is in one
    // already stays as it is.
    let plain = match place {
        Place::Registry(_) if matches!(sources, [Source::Local(_)]) => Format::Gzip,
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
    copies: &[Copy<'_>],
    there: HashSet<Digest>,
    options: &Options,
) -> Result<Box<dyn Target>, Failure> {
    let level = cli.level;
    let layout = |store: Store| -> Result<Box<dyn Target>, Failure> {
        for copy in copies {
            delta::check_complete(&copy.found, &copy.root, &store)?;
        }
        Ok(Box::new(Layout { store, level }))
    };
    Ok(match place {
        Place::Store(_) => layout(cli.location.create()?)?,
        Place::Elsewhere(Destination::Layout { dir, .. }) => {
            layout(Store::create(dir)?.unmade_if_empty())?
        }
        Place::Elsewhere(Destination::Archive { file, .. }) => {
            Box::new(Archive::new(file.clone(), there, level))
        }
        Place::Registry(reference) => {
            let others = copies.iter().flat_map(|copy| others(reference, copy)).collect::<Vec<_>>();
            let repository = Repository::connect(reference, Access::Push, &others, options);
            let repository = repository.map_err(|error| place::about(reference, error))?;
            let is_in = |from: &Repository| repository.is_same(from);
            let is_source = copies.iter().all(|copy| copy.repository.as_deref().is_some_and(is_in));
            let reference = reference.clone();
            Box::new(Registry { repository, reference, others, level, is_source })
        }
    })
}

/// An archive or the store, given no name, keeps those that the image has where it comes
/// from, as `docker save` keeps them.
fn names(found: &Found) -> Vec<String> {
    let names = found.names.iter().filter_map(|name| name.parse().ok());
    names.map(|name: Name| name.to_string()).collect()
}

/// Repositories of the registry of `to` that have the image already, or had it: where it
/// comes from, and what its names say.
fn others(to: &RegistryReference, copy: &Copy<'_>) -> Vec<String> {
    let named = copy.found.names.iter().filter_map(|name| to.repository_of(name));
    let from = copy.repository.as_deref().and_then(|from| to.repository_beside(from));
    let mut others: Vec<String> = from.into_iter().chain(named).collect();
    others.dedup();
    others
}
