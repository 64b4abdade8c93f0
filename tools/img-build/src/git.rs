//! Git repositories, as contexts and as sources of ADD: one commit, checked out by the installed
//! git into a directory, its submodules with it.

mod client;

use std::fs;
use std::path::{Path, PathBuf};

use common::name::show;

use crate::error::Error;

use client::{Client, walk};

pub(crate) use client::Settings;

/// The name of the agent that repositories are fetched with.
pub(crate) const AGENT: &str = "default";

/// The files and directories in which git notes what was fetched, by whom and when.
const NOTES: [&str; 3] = ["FETCH_HEAD", "ORIG_HEAD", "logs"];

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

/// Returns true if a text names a repository, as BuildKit tells: by its scheme, by `USER@HOST:PATH`, or
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
        settings: Settings<'_>,
    ) -> Result<PathBuf, Error> {
        let Self { url, dir, .. } = *self;
        let reference = self.reference.as_str();
        fs::create_dir(into).map_err(Error::file(into))?;
        let git = Client { dir: into, settings };
        // No template: it could bring hooks.
        git.run("git init --quiet --template=", &[])?;
        git.run("git remote add origin", &[url])?;
        let check_out = "git checkout --quiet --detach";
        match git.run("git fetch --quiet --depth=1 --no-tags origin", &[reference]) {
            Ok(_) => git.run(check_out, &["FETCH_HEAD"])?,
            // Not every server hands out any commit, and none by its first digits.
            Err(error) if is_commit(reference) && is_refusal(&error) => {
                let all = "+refs/heads/*:refs/remotes/origin/*";
                git.run("git fetch --quiet --tags origin", &[all])?;
                git.run(check_out, &[reference])?
            }
            Err(error) => return Err(error),
        };
        let commit = git.run("git rev-parse HEAD", &[])?;
        let mut expected = checksum.into_iter().chain(self.checksum);
        let differs = |checksum: &&str| !commit.starts_with(&checksum.to_ascii_lowercase());
        if let Some(expected) = expected.find(differs) {
            return Err(Error::Other(format!(
                "'{}': checksum mismatch: expected {expected}, got {}",
                show(url),
                commit.trim()
            )));
        }
        if self.has_submodules {
            git.run("git submodule --quiet update --init --recursive --depth=1", &[])?;
        }
        clean(into, keeps_git_dir || self.keeps_git_dir)?;
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

/// Returns true if a reference may be a commit, or its first digits.
pub(crate) fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Tells if the server answered that it does not hand out what was asked for, in the words of git.
fn is_refusal(error: &Error) -> bool {
    let text = error.to_string();
    let answers =
        ["couldn't find remote ref", "not our ref", "unadvertised object", "not support shallow"];
    answers.iter().any(|answer| text.contains(answer))
}

/// Removes what git keeps for itself beside the files of the commit: all of it, also of
/// submodules, or its notes of who fetched what and when.
fn clean(dir: &Path, keeps_git_dir: bool) -> Result<(), Error> {
    walk(dir, &mut |path| {
        let name = path.file_name().unwrap_or_default();
        let is_removed = match keeps_git_dir {
            // No commit has a file of this name.
            false => name == ".git",
            true => is_note(dir, path) && NOTES.iter().any(|note| name == *note),
        };
        if is_removed {
            let is_dir = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
            let removed = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            removed.map_err(Error::file(path))?;
        }
        Ok(!is_removed)
    })
}

/// Tells if a path is directly in a directory of git's: that of the repository, or of a submodule.
fn is_note(dir: &Path, path: &Path) -> bool {
    let Some(folder) = path.parent() else { return false };
    let is_git = folder.strip_prefix(dir).is_ok_and(|below| below.starts_with(".git"));
    is_git && folder.join("HEAD").is_file()
}

#[cfg(test)]
mod tests {
    use super::{Error, Repository, is_git, is_refusal};

    #[test]
    fn a_whole_history_is_asked_only_of_a_server_that_answered() {
        for (text, expected) in [
            ("git: fatal: couldn't find remote ref 0123456", true),
            ("git: fatal: remote error: upload-pack: not our ref 0123456789", true),
            ("git: error: Server does not allow request for unadvertised object 01", true),
            ("git: fatal: unable to connect to h:", false),
            ("git: no progress for 600 seconds", false),
            ("git: the repository grows to more than the limit of 5 bytes", false),
        ] {
            assert_eq!(is_refusal(&Error::Other(text.into())), expected, "{text}");
        }
    }

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
