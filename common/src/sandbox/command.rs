//! What to run and in which surroundings: a builder, as `std::process::Command` is.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::Error;
use super::capabilities::Capabilities;
use super::limits::Limits;
use super::plan::Bytes;
use super::surroundings::{
    Exit, Isolation, Measure, Mount, Network, Privileges, Root, Settings, Stream, Terminal,
    Writable,
};

/// A command to be run in a sandbox.
#[derive(Debug)]
pub struct Command {
    pub(super) root: Root,
    pub(super) argv: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) cwd: PathBuf,
    pub(super) settings: Settings,
    pub(super) mounts: Vec<Mount>,
    pub(super) stdin: Stream,
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
}

impl Command {
    /// `program`, looked up in the environment's PATH inside `root` unless it
    /// holds a `/`. The environment begins empty.
    #[must_use]
    pub fn new(root: Root, program: impl Into<OsString>) -> Self {
        Self {
            root,
            argv: vec![program.into()],
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            settings: Settings::default(),
            mounts: Vec::new(),
            stdin: Stream::Inherit,
            stdout: Stream::Inherit,
            stderr: Stream::Inherit,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable; the last value of a name wins. HOME, if it is never set,
    /// comes from the image's passwd file.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Each variable with its last value, in the order of these.
    pub(super) fn environment(&self) -> Vec<&(OsString, OsString)> {
        let mut known = HashSet::new();
        let mut last: Vec<_> =
            self.env.iter().rev().filter(|(name, _)| known.insert(name)).collect();
        last.reverse();
        last
    }

    /// The working directory inside the root, which must be there.
    #[must_use]
    pub fn cwd(mut self, cwd: impl AsRef<Path>) -> Self {
        self.cwd = cwd.as_ref().to_owned();
        self
    }

    /// Makes the working directory, for root, where it is missing.
    #[must_use]
    pub fn make_cwd(mut self) -> Self {
        self.settings.make_cwd = true;
        self
    }

    /// Whether set-id programs work inside.
    #[must_use]
    pub fn privileges(mut self, privileges: Privileges) -> Self {
        self.settings.privileges = privileges;
        self
    }

    /// The capabilities that it may have; [`Capabilities::on`] its network otherwise.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.settings.capabilities = Some(capabilities);
        self
    }

    /// What it may use of the machine; everything if it is never said.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Leaves a measure out.
    #[must_use]
    pub fn without(mut self, measure: Measure) -> Self {
        self.settings.without.push(measure);
        self
    }

    /// Whether the command gets a terminal.
    #[must_use]
    pub fn terminal(mut self, terminal: Terminal) -> Self {
        self.settings.terminal = terminal;
        self
    }

    /// Removes a directory of the cache, made for this command alone, when all is over,
    /// even if this process is killed meanwhile. It is the root, or takes what is to be
    /// discarded.
    #[must_use]
    pub fn passing(mut self, directory: &Path) -> Self {
        self.settings.passing = Some(Bytes::new(directory));
        self
    }

    /// Who runs it: `user`, `user:group`, names or numbers, looked up in the
    /// image's own files. Root if it is never said, or empty.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.settings.user = Some(user.into()).filter(|user| !user.is_empty());
        self
    }

    /// The host name that the command sees.
    #[must_use]
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.settings.hostname = hostname.into();
        self
    }

    /// Adds a name with its address to /etc/hosts.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>, address: IpAddr) -> Self {
        self.settings.hosts.push((name.into(), address));
        self
    }

    /// The network that the command sees; the host's if it is never said.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.settings.network = network;
        self
    }

    /// How far the command is kept apart from the host.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.settings.isolation = isolation;
        self
    }

    /// Whether the command may write to its root.
    #[must_use]
    pub fn writable(mut self, writable: Writable) -> Self {
        self.settings.writable = writable;
        self
    }

    /// Adds a mount; they are made in the order in which they are added, after
    /// `/proc`, `/sys` and `/dev`.
    #[must_use]
    pub fn mount(mut self, mount: Mount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// The command's standard input.
    #[must_use]
    pub fn stdin(mut self, stream: Stream) -> Self {
        self.stdin = stream;
        self
    }

    /// The command's standard output.
    #[must_use]
    pub fn stdout(mut self, stream: Stream) -> Self {
        self.stdout = stream;
        self
    }

    /// The command's standard error.
    #[must_use]
    pub fn stderr(mut self, stream: Stream) -> Self {
        self.stderr = stream;
        self
    }

    /// Runs the command and waits for it. INT, TERM, HUP and other signals (see
    /// [`crate::signal`]) go to it meanwhile; it dies if this process does.
    ///
    /// # Errors
    /// Whatever keeps the command from starting. That it fails is no error here.
    pub fn run(self) -> Result<Exit, Error> {
        super::parent::run(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Root};

    #[test]
    fn the_last_value_of_a_name_wins() {
        let root = Root::Directory("/".into());
        let command = Command::new(root, "x").env("A", "1").env("B", "2").env("A", "3");
        let environment = command.environment();
        let words: Vec<_> = environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(words, [("B".as_ref(), "2".as_ref()), ("A".as_ref(), "3".as_ref())]);
    }
}
