//! A command with the union as its root, and nothing left when it ends.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use common::cli::{Failure, Status};
use common::layer::apply::{Devices, SetId};
use common::mount::{Audience, Driver};
use common::options::{Drivers, Trial};
use common::sandbox::{self, Capabilities, Command, Error, Isolation, Root, Terminal, Writable};
use common::unpacked::Cache;

use crate::layers::Stack;

/// What of the caller's environment says how to talk to its user. The rest stays
/// outside: it may hold secrets, and paths that mean nothing inside.
const KEPT: [&str; 6] = ["TERM", "COLORTERM", "NO_COLOR", "LANG", "TZ", "SOURCE_DATE_EPOCH"];

/// Runs a command in a private mount namespace, and passes its status on.
///
/// # Errors
/// Whatever keeps the command from starting in every way.
pub(crate) fn run(
    stack: &Stack,
    drivers: Drivers,
    isolation: Isolation,
    capabilities: Capabilities,
    argv: &[OsString],
) -> Result<Status, Failure> {
    sandbox::check()?;
    drivers.try_each(Audience::Command, |driver| {
        let ran = if driver == Driver::Copy {
            if let Some(refusal) = stack.refuses_copy() {
                return Ok(Trial::Refused(refusal));
            }
            in_copy(stack, isolation, capabilities, argv)?
        } else {
            command(Root::Overlay(stack.overlay(driver)?), capabilities, argv).run()
        };
        match ran {
            Ok(exit) => Ok(Trial::Done(exit.status())),
            Err(error) if error.is_refused_mount() => Ok(Trial::Refused(error.into())),
            Err(error) => Err(error.into()),
        }
    })
}

fn in_copy(
    stack: &Stack,
    isolation: Isolation,
    capabilities: Capabilities,
    argv: &[OsString],
) -> Result<Result<common::sandbox::Exit, Error>, Failure> {
    let copy = Cache::copy()?;
    stack.copy_to(copy.dir(), SetId::Keep, Devices::Make)?;
    let writable = match isolation {
        // As an overlay without an upper directory.
        Isolation::Full | Isolation::Oci => Writable::No,
        // Nothing can be protected, but all of it is thrown away.
        Isolation::Chroot => Writable::AsMounted,
    };
    let command = command(Root::Directory(copy.dir().to_owned()), capabilities, argv);
    Ok(command.isolation(isolation).writable(writable).passing(copy.dir()).run())
}

fn command(root: Root, capabilities: Capabilities, argv: &[OsString]) -> Command {
    let (program, arguments) = argv
        .split_first()
        .map_or((OsString::new(), argv), |(program, rest)| (program.clone(), rest));
    let mut command = Command::new(root, program).args(arguments).capabilities(capabilities);
    for (name, value) in std::env::vars_os() {
        let locale = name.to_str().is_some_and(|name| name.starts_with("LC_"));
        if locale || KEPT.iter().any(|kept| name == *kept) {
            command = command.env(name, value);
        }
    }
    if on_terminal() {
        command = command.terminal(Terminal::New);
    }
    command
}

/// Whether a user sits at all three standard streams: then a shell is to have job
/// control, and a terminal that is not the caller's own.
fn on_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}
