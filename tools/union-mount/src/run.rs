//! A command with the union as its root, and nothing left when it ends.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use common::cli::{Failure, Status};
use common::mount::Overlay;
use common::sandbox::{Command, Error, Root, Terminal};

/// What of the caller's environment says how to talk to its user. The rest stays
/// outside: it may hold secrets, and paths that mean nothing inside.
const KEPT: [&str; 6] = ["TERM", "COLORTERM", "NO_COLOR", "LANG", "TZ", "SOURCE_DATE_EPOCH"];

/// Runs a command in a private mount namespace, and passes its status on.
pub(crate) fn run(overlay: Overlay, argv: Vec<OsString>) -> Result<Status, Failure> {
    let mut argv = argv.into_iter();
    let program = argv.next().unwrap_or_default();
    let mut command = Command::new(Root::Overlay(overlay), program).args(argv);
    for (name, value) in std::env::vars_os() {
        let locale = name.to_str().is_some_and(|name| name.starts_with("LC_"));
        if locale || KEPT.iter().any(|kept| name == *kept) {
            command = command.env(name, value);
        }
    }
    if on_terminal() {
        command = command.terminal(Terminal::New);
    }
    let exit = command.run().map_err(Error::into_failure)?;
    Ok(exit.status())
}

/// Whether a user sits at all three standard streams: then a shell is to have job
/// control, and a terminal that is not the caller's own.
fn on_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal()
}
