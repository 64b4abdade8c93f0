//! Git repositories, as contexts and as sources of ADD: one commit, checked out by the installed
//! git into a directory, its submodules with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::name::show;

use crate::error::Error;
use crate::program::{find, run};

const GIT: &str = "git";

/// The transports that a repository and its submodules may use.
const PROTOCOLS: &str = "http:https:git:ssh";

/// `URL[#REF[:DIR]]`, or the same and more as a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository<'a> {
    url: &'a str,
    /// A branch, a tag or a commit; `HEAD` if none is named.
    reference: String,
    /// The directory that is wanted of it.
    dir: &'a str,
    /// The commit, or its first digits.
    checksum: Option<&'a str>,
    keeps_git_dir: bool,
    has_submodules: bool,
}

/// Whether a text names a repository, as BuildKit tells: by its scheme, by `USER@HOST:PATH`, or
/// by the end of its path.
pub(crate) fn is_git(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let is_http = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    let is_scheme = ["git://", "ssh://"].iter().any(|scheme| text.starts_with(scheme));
    is_scheme || is_scp(path) || is_http && path.ends_with(".git")
}

/// `USER@HOST:PATH`.
fn is_scp(text: &str) -> bool {
    let fits = |text: &str| {
        let word = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        !text.is_empty() && !text.starts_with('-') && text.chars().all(word)
    };
    let Some((user, rest)) = text.split_once('@') else { return false };
    rest.split_once(':').is_some_and(|(host, path)| fits(user) && fits(host) && !path.is_empty())
}

impl<'a> Repository<'a> {
    /// Parses what [`is_git`] takes for a repository.
    ///
    /// # Errors
    /// An unknown query, a reference given twice, or one that git would take for an option.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (reference, dir) = fragment.split_once(':').unwrap_or((fragment, ""));
        let (url, query) = address.split_once('?').unwrap_or((address, ""));
        let mut repository = Self {
            url,
            reference: String::new(),
            dir,
            checksum: None,
            keeps_git_dir: false,
            has_submodules: true,
        };
        repository.set_reference("", reference)?;
        for field in query.split('&').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            repository.set(name, value)?;
        }
        if repository.reference.is_empty() {
            repository.reference = "HEAD".into();
        }
        Ok(repository)
    }

    /// Sets what a field of a query says, in BuildKit's words.
    fn set(&mut self, name: &str, value: &'a str) -> Result<(), Error> {
        let invalid = || Error::Other(format!("git query '{}={}'", show(name), show(value)));
        let is_set = match value {
            "" | "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        };
        match name {
            _ if value.contains(['%', '+']) => {
                return Err(Error::Unsupported(invalid().to_string()));
            }
            "ref" => self.set_reference("", value)?,
            "tag" => self.set_reference("refs/tags/", value)?,
            "branch" => self.set_reference("refs/heads/", value)?,
            "subdir" if self.dir.is_empty() => self.dir = value,
            "checksum" | "commit" if is_commit(value) => self.checksum = Some(value),
            "keep-git-dir" => self.keeps_git_dir = is_set.ok_or_else(invalid)?,
            "submodules" => self.has_submodules = is_set.ok_or_else(invalid)?,
            _ => return Err(Error::Unsupported(invalid().to_string())),
        }
        Ok(())
    }

    fn set_reference(&mut self, prefix: &str, reference: &str) -> Result<(), Error> {
        if reference.starts_with('-') || reference.contains(':') {
            return Err(Error::Other(format!("'{}': not a git reference", show(reference))));
        }
        if !reference.is_empty() {
            let reference = format!("{prefix}{reference}");
            if !self.reference.is_empty() && self.reference != reference {
                let text = format!(
                    "git references '{}' and '{}'",
                    show(&self.reference),
                    show(&reference)
                );
                return Err(Error::Other(format!("{text}: there can be one")));
            }
            self.reference = reference;
        }
        Ok(())
    }

    /// Checks the commit out into `into`, a new directory; the directory that is wanted.
    ///
    /// # Errors
    /// A git that is not there or fails; a commit other than `checksum`; a directory that is
    /// not in the repository.
    pub(crate) fn check_out(
        &self,
        into: &Path,
        keeps_git_dir: bool,
        checksum: Option<&str>,
    ) -> Result<PathBuf, Error> {
        let Self { url, dir, .. } = *self;
        let reference = self.reference.as_str();
        fs::create_dir(into).map_err(Error::file(into))?;
        // No template: it could bring hooks.
        git(into, "git init --quiet --template=", &[])?;
        git(into, "git remote add origin", &[url])?;
        let check_out = "git checkout --quiet --detach";
        match git(into, "git fetch --quiet --depth=1 --no-tags origin", &[reference]) {
            Ok(_) => git(into, check_out, &["FETCH_HEAD"])?,
            // Not every server hands out any commit, and none by its first digits.
            Err(_) if is_commit(reference) => {
                let all = "+refs/heads/*:refs/remotes/origin/*";
                git(into, "git fetch --quiet --tags origin", &[all])?;
                git(into, check_out, &[reference])?
            }
            Err(error) => return Err(error),
        };
        let commit = git(into, "git rev-parse HEAD", &[])?;
        let mut expected = checksum.into_iter().chain(self.checksum);
        if let Some(expected) = expected.find(|checksum| !commit.starts_with(checksum)) {
            return Err(Error::Other(format!(
                "'{}': checksum mismatch: expected {expected}, got {}",
                show(url),
                commit.trim()
            )));
        }
        if self.has_submodules {
            git(into, "git submodule --quiet update --init --recursive --depth=1", &[])?;
        }
        if !keeps_git_dir && !self.keeps_git_dir {
            let folder = into.join(".git");
            fs::remove_dir_all(&folder).map_err(Error::file(folder))?;
        }
        // A link of the repository may lead out of it.
        let root = fs::canonicalize(into).map_err(Error::file(into))?;
        let found = fs::canonicalize(root.join(dir.trim_start_matches('/')));
        match found {
            Ok(found) if found.starts_with(&root) && found.is_dir() => Ok(found),
            _ => {
                Err(Error::Other(format!("'{}': no such directory in '{}'", show(dir), show(url))))
            }
        }
    }
}

/// Whether a reference may be a commit, or its first digits.
pub(crate) fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Runs a git command with more arguments in a directory, and returns what it prints. It asks
/// nobody for a password.
fn git(dir: &Path, words: &str, arguments: &[&str]) -> Result<String, Error> {
    let program = find(GIT)?;
    let mut command = Command::new("sh");
    // Files have the modes that the repository says, whatever the caller's umask.
    command.args(["-c", "umask 022; exec \"$@\"", "sh"]).arg(program);
    command.args(["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"]);
    command.arg("-C").arg(dir).args(words.split(' ').skip(1)).args(arguments);
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", PROTOCOLS);
    command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes").env("LC_ALL", "C");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = run(&mut command, GIT)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let said = text.lines().rfind(|line| !line.is_empty()).unwrap_or("failed");
    Err(Error::Other(format!("git: {}", show(said))))
}

#[cfg(test)]
mod tests {
    use super::{Repository, is_git};

    #[test]
    fn repositories_are_told_from_other_urls() {
        for text in [
            "git://h/x",
            "ssh://git@h/x",
            "git@h:x/y.git#main",
            "me@h.org:x",
            "https://h/x.git",
            "http://h/x.git#v1:dir",
            "https://h/x.git?ref=a",
        ] {
            assert!(is_git(text), "{text}");
        }
        for text in ["https://h/x", "https://h/x.git/y", "x.git", "a@b", "-o@h:x", "a/b@c:d", "h:x"]
        {
            assert!(!is_git(text), "{text}");
        }
    }

    #[test]
    fn a_fragment_is_a_reference_and_a_directory() {
        for (text, url, reference, dir) in [
            ("git://h/x", "git://h/x", "HEAD", ""),
            ("git://h/x#v1", "git://h/x", "v1", ""),
            ("git://h/x#v1:a/b", "git://h/x", "v1", "a/b"),
            ("git://h/x#:a", "git://h/x", "HEAD", "a"),
            ("git://h/x?ref=v1&subdir=a", "git://h/x", "v1", "a"),
            ("git://h/x?tag=v1#:a", "git://h/x", "refs/tags/v1", "a"),
            ("git://h/x?branch=b", "git://h/x", "refs/heads/b", ""),
        ] {
            let found = Repository::parse(text).unwrap();
            assert_eq!((found.url, found.reference.as_str(), found.dir), (url, reference, dir));
        }
        for bad in ["#--upload-pack=x", "?ref=-x", "?ref=a#b", "?what=1", "?submodules=x"] {
            assert!(Repository::parse(&format!("git://h/x{bad}")).is_err(), "{bad}");
        }
    }
}
