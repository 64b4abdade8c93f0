//! `img-run`: run an image's command, or another, in the image.

mod cli;
mod docker;
mod limits;
mod mount;
mod process;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
use cli::{Cli, Isolation, SecurityOption};
use common::cli::{Failure, Status};
use common::document;
use common::image::{Image, Reference};
use common::layer::apply;
use common::message;
use common::mount::{Overlay, Upper, directory_keeps_marks, memory_keeps_marks};
use common::root::Root as Tree;
use common::sandbox::{self, Command, Limits, Measure, Privileges, Root, Terminal, Writable};
use common::unpacked::{self, Cache, Copy};
use registry::Puller;

/// The longest file of `--env-file`: more than a command can be started with.
const MAX_ENV_FILE_LEN_BYTES: u64 = 4 << 20;

/// The arguments, for completions.
#[must_use]
pub fn command() -> clap::Command {
    // -v is docker's: a volume.
    Cli::command().mut_arg("verbose", |argument| argument.short(None))
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
    if let Some(status) = cli.users.apply()? {
        return Ok(status);
    }
    // A tool that runs a command leaves the low statuses to it.
    let (command, copy) =
        plan(cli).map_err(|failure| failure.with_status(Status::RUNNER_FAILED))?;
    let exit = command.run();
    drop(copy);
    Ok(exit?.status())
}

/// Opens the image, unpacks what is not in the cache yet, and puts all together.
fn plan(cli: Cli) -> Result<(Command, Option<Copy>), Failure> {
    sandbox::check()?;
    let files = cli.env_file.iter().map(|path| {
        document::named(path, MAX_ENV_FILE_LEN_BYTES)
            .map_err(|error| Failure::about(common::name::show_path(path), error))
    });
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let reference = Reference::parse(cli.image())?;
    let puller = Puller::new(&cli.store, cli.pull.when()?, cli.registries.options_for_one()?);
    let image = puller.open(&reference, cli.platform.as_ref())?;
    let config = &image.config.config;

    let mut argv = process::argv(&cli, config)?.into_iter();
    let env = process::env(&cli, config, &files, |name| std::env::var_os(name))?;
    let (root, writable, copy) = root(&cli, &image)?;
    let mut command = Command::new(root, argv.next().unwrap_or_default())
        .args(argv)
        .writable(writable)
        .isolation(cli.isolation.into())
        .cwd(process::directory(&cli, config))
        .user(cli.user.as_deref().unwrap_or(&config.user))
        .network(cli.network.into())
        .hostname(&cli.hostname);
    for (name, value) in env {
        command = command.env(name, value);
    }
    if let Some(copy) = &copy {
        command = command.passing(copy.dir());
    }
    if !cli.read_only {
        command = command.make_cwd();
    }
    if cli.tty {
        command = command.terminal(Terminal::New);
    }
    let mut limits = Limits { memory_bytes: cli.memory, milli_cpus: cli.cpus, pids: None };
    if let Some(limits::Pids(Some(count))) = cli.pids_limit {
        limits.pids = Some(count);
    }
    command = confine(command.limits(limits), &cli);
    let tmpfs = cli.tmpfs.into_iter().map(mount::Tmpfs::mount);
    for mount in tmpfs.chain(cli.volumes.into_iter().map(mount::Volume::mount)) {
        command = command.mount(mount);
    }
    Ok((command, copy))
}

/// The measures that are asked for.
fn confine(mut command: Command, cli: &Cli) -> Command {
    command = command.capabilities(cli.capabilities.on(cli.network.into()));
    if cli.no_new_privs {
        command = command.privileges(Privileges::Fixed);
    }
    for option in &cli.security_opt {
        command = match option {
            SecurityOption::NoNewPrivileges => command.privileges(Privileges::Fixed),
            SecurityOption::AnySystemCall => command.without(Measure::SystemCalls),
            SecurityOption::AnySystemPath => command.without(Measure::SystemPaths),
        };
    }
    command
}

/// The tree to run in, whether it can be written to, and what to remove afterwards.
fn root(cli: &Cli, image: &Image) -> Result<(Root, Writable, Option<Copy>), Failure> {
    if cli.isolation == Isolation::Chroot {
        if cli.upper.is_some() {
            return Err(Failure::new(
                "--upper takes a mount, which --isolation chroot cannot make",
            ));
        }
        // A copy is discarded as a whole.
        let writable = if cli.read_only { Writable::No } else { Writable::AsMounted };
        let copy = Cache::copy()?;
        let about = |error| Failure::about(common::name::show_path(copy.dir()), error);
        let tree = Tree::open(copy.dir()).map_err(about)?;
        let max_size = cli.limit.max_size();
        let options = apply::Options { max_size, ..apply::Options::of_process() };
        unpacked::apply_image(&tree, image, None, &options)?;
        return Ok((Root::Directory(copy.dir().to_owned()), writable, Some(copy)));
    }
    let cache = Cache::open()?.with_max_size(cli.limit.max_size());
    let mut overlay = Overlay::new(cache.image(image, None)?);
    let (mut writable, mut copy) = (Writable::Discarded, None);
    if let Some(dir) = cli.upper.clone() {
        overlay = overlay.with_upper(Upper::new(dir));
        writable = Writable::AsMounted;
    } else if cli.read_only {
        writable = Writable::No;
    } else if !memory_keeps_marks() {
        copy = Cache::copy().ok().filter(|place| directory_keeps_marks(place.dir()));
        if copy.is_none() {
            message::warning(
                "neither memory nor the cache keeps user attributes: directories that are \
                 removed cannot be made again",
            );
        }
    }
    Ok((Root::Overlay(overlay), writable, copy))
}
