//! The installed git at work in one directory: it asks nobody, runs nothing of the repository,
//! and fills the directory up to a limit.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::compression::MaxSize;
use common::name::show;
use nix::sys::signal::Signal;

use crate::error::Error;
use crate::group;
use crate::program::find;

const GIT: &str = "git";

/// The transports that a repository and its submodules may use.
const PROTOCOLS: &str = "http:https:git:ssh";

/// The configuration of every command. A server that sends less than a byte a second is given up.
const CONFIG: [&str; 5] = [
    "core.hooksPath=/dev/null",
    "core.logAllRefUpdates=false",
    "advice.detachedHead=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];

/// The time that git may take without a change in its directory, whatever the transport.
const PATIENCE: Duration = Duration::from_secs(600);

/// The shortest time between two measurements of the directory.
const INTERVAL: Duration = Duration::from_millis(500);

/// The size that each name counts beside its content: that of its header in a layer.
const NAME_LEN_BYTES: u64 = 512;

/// The settings of the build that concern repositories.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'a> {
    /// The size that a repository may grow to, with its `.git`.
    pub(crate) max_size: MaxSize,
    /// The socket of the ssh agent; `None` for the caller's own.
    pub(crate) agent: Option<&'a Path>,
}

/// The git of one directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client<'a> {
    pub(super) dir: &'a Path,
    pub(super) settings: Settings<'a>,
}

impl Client<'_> {
    /// Runs a git command with more arguments, and returns what it prints.
    ///
    /// # Errors
    /// A git that is not there or fails; a directory that grows beyond the limit, or not at all
    /// for a long time.
    pub(super) fn run(&self, words: &str, arguments: &[&str]) -> Result<String, Error> {
        let program = find(GIT)?;
        let mut command = Command::new("sh");
        // Files have the modes that the repository says, whatever the caller's umask. A file that
        // reaches the limit passes it by less than a block, for the measurement to find.
        let blocks = self.settings.max_size.limit(0) / 512 + 1;
        let script = "umask 022; ulimit -S -f \"$1\" 2>/dev/null; shift; exec \"$@\"";
        command.args(["-c", script, "sh", &blocks.to_string()]).arg(program);
        command.args(CONFIG.iter().flat_map(|setting| ["-c", setting]));
        command.arg("-C").arg(self.dir).args(words.split(' ').skip(1)).args(arguments);
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", PROTOCOLS);
        // An empty program is none, and keeps git from looking for another.
        command.env("GIT_ASKPASS", "").env("SSH_ASKPASS_REQUIRE", "never");
        let ssh = std::env::var("GIT_SSH_COMMAND").ok().filter(|ssh| !ssh.trim().is_empty());
        let ssh = format!("{} -oBatchMode=yes", ssh.as_deref().unwrap_or("ssh"));
        command.env("GIT_SSH_COMMAND", ssh).env("LC_ALL", "C");
        if let Some(agent) = self.settings.agent {
            // git works in another directory.
            let agent = std::path::absolute(agent).map_err(Error::file(agent))?;
            command.env("SSH_AUTH_SOCK", agent);
        }
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
            command.env_remove(name);
        }
        let mut watch = Watch::new(self.dir, self.settings.max_size, PATIENCE);
        let ended = group::run(&mut command, GIT, &mut || watch.look())?;
        watch.measure()?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let text = String::from_utf8_lossy(&ended.stderr);
        // A file may stop short of the limit that the next write would pass.
        let signal = ended.status.signal() == Some(Signal::SIGXFSZ as i32);
        if signal || text.contains(&format!("died of signal {}", Signal::SIGXFSZ as i32)) {
            return Err(too_large(self.settings.max_size.limit(0)));
        }
        let said = text.lines().rfind(|line| !line.is_empty()).unwrap_or("failed");
        Err(Error::Other(format!("git: {}", show(said))))
    }
}

/// The growth of a directory.
struct Watch<'a> {
    dir: &'a Path,
    max_size: MaxSize,
    patience: Duration,
    len_bytes: u64,
    changed: Instant,
    next: Instant,
}

impl<'a> Watch<'a> {
    fn new(dir: &'a Path, max_size: MaxSize, patience: Duration) -> Self {
        let now = Instant::now();
        Self { dir, max_size, patience, len_bytes: 0, changed: now, next: now + INTERVAL }
    }

    /// Measures the directory if that is due: seldom if it takes long.
    fn look(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        if begun < self.next {
            return Ok(());
        }
        self.measure()?;
        self.next = Instant::now() + INTERVAL.max(begun.elapsed() * 10);
        if self.changed.elapsed() > self.patience {
            let seconds = self.patience.as_secs();
            return Err(Error::Other(format!("git: no progress for {seconds} seconds")));
        }
        Ok(())
    }

    fn measure(&mut self) -> Result<(), Error> {
        let mut growth = self.max_size.growth(None);
        let mut len_bytes = 0;
        walk(self.dir, &mut |path| {
            // Files come and go while git works.
            let len = fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
            let len = len.saturating_add(NAME_LEN_BYTES);
            len_bytes += len;
            let limit = |error: common::compression::TooLarge| error.limit;
            growth.add(len).map_err(limit).map(|()| true)
        })
        .map_err(too_large)?;
        if len_bytes != self.len_bytes {
            (self.len_bytes, self.changed) = (len_bytes, Instant::now());
        }
        Ok(())
    }
}

fn too_large(limit: u64) -> Error {
    Error::Other(format!("git: the repository grows to more than the limit of {limit} bytes"))
}

/// Calls `visit` for every name below a directory; it tells if a directory is to be entered.
pub(super) fn walk<E>(
    dir: &Path,
    visit: &mut dyn FnMut(&Path) -> Result<bool, E>,
) -> Result<(), E> {
    let mut left: Vec<PathBuf> = vec![dir.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if visit(&path)? && is_dir {
                left.push(path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::compression::MaxSize;

    use super::{INTERVAL, Watch};

    #[test]
    fn a_directory_that_does_not_change_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(dir.path(), MaxSize::Usual, Duration::from_millis(1));
        watch.look().unwrap();
        std::thread::sleep(INTERVAL * 2);
        assert_eq!(watch.look().unwrap_err().to_string(), "git: no progress for 0 seconds");
        std::fs::write(dir.path().join("f"), "").unwrap();
        watch.patience = Duration::from_secs(60);
        watch.next -= INTERVAL * 4;
        watch.look().unwrap();
        assert_eq!(watch.len_bytes, 512);
    }

    #[test]
    fn many_names_are_as_large_as_one_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        for name in 0..100 {
            std::fs::write(dir.path().join(format!("d/{name}")), "").unwrap();
        }
        let mut watch = Watch::new(dir.path(), MaxSize::Bytes(50_000), Duration::MAX);
        let error = watch.measure().unwrap_err().to_string();
        assert_eq!(error, "git: the repository grows to more than the limit of 50000 bytes");
    }
}
