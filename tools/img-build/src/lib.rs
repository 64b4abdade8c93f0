//! `img-build`: build an image from a Containerfile.

mod bases;
mod cache;
mod cli;
mod context;
mod docker;
mod error;
mod executor;
mod frontend;
mod git;
mod graph;
mod group;
mod handover;
mod input;
mod lint;
mod options;
mod output;
mod place;
mod program;
mod reporter;
mod result;
mod scratch;
mod step;
mod tree;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use common::cli::{Failure, Status};
use common::containerfile::Containerfile;
use common::message;
use common::oci::{Descriptor, Platform};
use common::stream::{self, Output, Payload};
use common::time;

use bases::Bases;
use cache::Cache;
use cli::{Cli, Named, Print};
use context::{Context, Hashed};
use error::Error;
use executor::secret::Secret;
use executor::{Clock, Executor};
use frontend::Request;
use graph::Graph;
use input::Inputs;
use lint::Findings;
use output::Target;
use place::Place;
use reporter::{Form, Reporter};
use result::Annotation;

/// The arguments, for parsing and for completions.
#[must_use]
pub fn command() -> clap::Command {
    // As docker's: what everybody types in a script.
    let command = Cli::command().mut_arg("quiet", |quiet| quiet.short('q'));
    // docker's has no value, and means always.
    command.mut_arg("when", |pull| {
        pull.num_args(0..=1).require_equals(true).default_missing_value("always")
    })
}

/// The arguments, for parsing: with those that are refused.
#[must_use]
pub fn parser() -> clap::Command {
    docker::known(command())
}

/// Runs the tool on arguments that [`parser`] parsed.
///
/// # Errors
/// Whatever keeps it from doing all that was asked.
pub fn run(matches: &ArgMatches) -> Result<Status, Failure> {
    docker::refuse(matches)?;
    let cli = Cli::from_arg_matches(matches)?;
    let targets = cli.destinations.iter().map(|text| Target::parse(text));
    let mut targets = targets.collect::<Result<Vec<_>, _>>()?;
    targets.extend(cli.push.then_some(Target::Registry));
    targets.extend(cli.load.then_some(Target::Docker));
    let platforms = options::platforms(&cli);
    targets.iter().try_for_each(|target| target.check(platforms.len(), &cli.names))?;
    let to_standard = targets.iter().filter(|target| target.is_standard()).count();
    if to_standard > 1 {
        return Err(Failure::usage("--output: only one can be standard output"));
    }
    // The status of a runner is for tools that run a command.
    let again = cli.users.apply().map_err(|failure| failure.with_status(Status::FAILED))?;
    if let Some(status) = again {
        return Ok(status);
    }
    let form = Form::choose(cli.progress)?;
    let clock = clock(&cli.build_args)?;
    let labels = cli.labels.iter().map(|text| options::pair("--label", text));
    let labels = labels.collect::<Result<Vec<_>, _>>()?;
    let annotations = cli.annotations.iter().map(|text| options::annotation(text));
    let annotations = annotations.collect::<Result<Vec<_>, _>>()?.concat();
    let of_index = annotations.iter().any(|annotation| annotation.place == result::Place::Index);
    if of_index && platforms.len() == 1 {
        return Err(Failure::usage("--annotation index:...: one image has no index"));
    }
    let secrets = cli.secrets.iter().map(|text| options::secret(text)).collect::<Result<_, _>>()?;
    let agents = cli.agents.iter().map(|text| options::agent(text));
    let agents = agents.collect::<Result<BTreeMap<_, _>, _>>()?;
    let cache = common::cache::dir();
    if let Some(cache) = &cache {
        // The leftovers of a killed build only take up space.
        let _ = common::scratch::remove_dead(&common::scratch::folder(cache));
    }
    let agent = agents.get(git::AGENT).map(PathBuf::as_path);
    let inputs = input::open(&cli, cache.as_deref(), agent).map_err(failure)?;
    let (graphs, findings) = graphs(&cli, &inputs, &platforms).map_err(failure)?;
    if cli.check {
        return print_findings(&inputs.label, &findings);
    }
    if findings.are_errors() {
        return Err(refused(&inputs.label, &findings));
    }
    if let Some(Print::Plan) = cli.print {
        return print(&graphs);
    }
    let place = Place::open(&cli, cache).map_err(failure)?;
    let given = (&secrets, &agents);
    let images = build(&cli, &inputs, graphs, (&place, form, clock), given, &labels, &annotations)?;
    let image = result::join(images, &annotations, &place.store)?;
    result::deliver(&image, &cli.names, &targets, &place)?;
    result::note(&image, &cli, &place.store)?;
    if to_standard == 0 {
        let mut output = Output::standard(Payload::Text)?;
        writeln!(output, "{}", image.digest).map_err(stream::Error::StandardOutput)?;
        output.commit()?;
    }
    Ok(Status::DONE)
}

/// Returns the graph for each platform, and what the checks found. Builds nothing.
fn graphs(
    cli: &Cli,
    inputs: &Inputs,
    platforms: &[Platform],
) -> Result<(Vec<Graph>, Findings), Error> {
    let Inputs { text, label, .. } = inputs;
    let file = Containerfile::parse(text)
        .map_err(|source| Error::Syntax { file: label.clone(), source })?;
    if let Some(syntax) = &file.directives.syntax {
        message::verbose(format!("syntax={syntax}: our own frontend is used"));
    }
    let arguments = frontend::scope::parse(&cli.build_args);
    let options = arguments.get(lint::ARGUMENT).or(file.directives.check.as_ref());
    let mut findings = Findings::new(options.map_or("", String::as_str))?;
    lint::check_text(&file, &mut findings);
    let ignored = if cli.check || options.is_some() {
        inputs.context.patterns()?
    } else {
        context::Patterns::default()
    };
    let request = Request {
        file: &file,
        label,
        arguments: &cli.build_args,
        target: cli.target.as_deref(),
        network: cli.network,
        hosts: &cli.hosts,
        contexts: &cli.contexts,
        ignored: &ignored,
        wants_all: cli.check && cli.target.is_none(),
    };
    let only_reads = cli.check || cli.print == Some(Print::Plan);
    let registries = cli.registries.options();
    let bases = Bases::new(&cli.store, cli.pull.when()?, only_reads, registries);
    let open = |name: &str, platform: &Platform| bases.open(name, platform);
    let graph = |platform| frontend::graph(&request, platform, &open, &mut findings);
    let graphs = platforms.iter().map(graph).collect::<Result<_, _>>()?;
    Ok((graphs, findings))
}

/// `--check`: a line for each finding, and status 1 if there are any.
fn print_findings(label: &str, findings: &Findings) -> Result<Status, Failure> {
    let mut output = Output::standard(Payload::Text)?;
    let mut status = Status::DONE;
    for finding in findings.all() {
        writeln!(output, "{label}:{finding}").map_err(stream::Error::StandardOutput)?;
        status = Status::NEGATIVE;
    }
    output.commit()?;
    Ok(status)
}

/// `# check=error=true`: each finding is told, and the build fails.
fn refused(label: &str, findings: &Findings) -> Failure {
    for finding in findings.all() {
        message::warning(format!("{label}:{finding}"));
    }
    let count = common::human::count(findings.all().count() as u64, "check", "checks");
    Failure::new(format!("{label}: check=error=true: {count} failed"))
}

/// The directories of `--build-context`, in their order.
fn directories(cli: &Cli) -> impl Iterator<Item = (&str, &Path)> {
    cli.contexts.iter().filter_map(|(name, named)| match named {
        Named::Directory(dir) => Some((name.as_str(), dir.as_path())),
        Named::Image(_) => None,
    })
}

fn directory(cli: &Cli, place: &Place, dir: &Path) -> Context {
    let hashed = match cli.rehash {
        true => Hashed::forgotten(place.cache.as_deref(), dir),
        false => Hashed::load(place.cache.as_deref(), dir),
    };
    Context::new(context::Source::Directory(dir.to_owned(), hashed), None)
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
    (place, form, clock): (&Place, Form, Clock),
    (secrets, agents): (&BTreeMap<String, Secret>, &BTreeMap<String, PathBuf>),
    labels: &[(String, String)],
    annotations: &[Annotation],
) -> Result<Vec<Descriptor>, Failure> {
    // A URL is no path, and names itself.
    let context_dir = std::fs::canonicalize(&cli.context).unwrap_or_else(|_| (&cli.context).into());
    let identity = format!("{}\n{}", context_dir.display(), inputs.label);
    // The results of steps are found by their store, which may be gone after this.
    let base = place.cache.as_deref().filter(|_| place.is_lasting());
    let cache = Cache::new(base, place.store.path(), cli.no_cache);
    let of_several = graphs.len() > 1;
    let unused = graphs.last().map(|graph| graph.unused_arguments.clone()).unwrap_or_default();
    let directories: Vec<_> = directories(cli).map(|(_, dir)| directory(cli, place, dir)).collect();
    let built = graphs.into_iter().map(|graph| {
        let reporter = Reporter::new(&graph, of_several, cli.explain, form);
        let executor = Executor {
            place,
            cache: &cache,
            context: &inputs.context,
            directories: &directories,
            secrets,
            agents,
            reporter: &reporter,
            clock,
            identity: &identity,
        };
        let progress = executor.run(&graph).map_err(failure)?;
        let image =
            result::assemble(graph, progress, labels, annotations, clock.now, &place.store)?;
        Ok(image)
    });
    let built: Result<Vec<_>, Failure> = built.collect();
    // A failed build has read files, too, which the next need not read again.
    inputs.context.save();
    directories.iter().for_each(Context::save);
    let images = built?;
    for name in unused {
        message::warning(format!("--build-arg {name}: no ARG asks for it"));
    }
    Ok(images)
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
