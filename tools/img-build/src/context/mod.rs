//! The context: a directory, a tar archive, or nothing; as a tree of names.

mod directory;
mod hashed;
mod ignore;
mod stamp;

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::document;
use common::layer::tree::NodeId;
use common::name::show_path;
use common::root::Root;

pub(crate) use hashed::Hashed;
pub(crate) use ignore::{Matched, Patterns};

use stamp::Stamp;

use crate::error::Error;
use crate::tree::{HostRoot, Last, Names, Tree, check_depth, file_of, join};

/// Ignore files larger than this are no ignore files.
const MAX_IGNORE_LEN_BYTES: u64 = 4 << 20;

/// What patterns are read from, in this order.
const IGNORE_FILES: [&str; 2] = [".containerignore", ".dockerignore"];

/// Where the files of COPY and ADD come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A directory of the host, and what its files were when they were last read.
    Directory(PathBuf, Hashed),
    /// Read from standard input: the whole tree.
    Archive(Tree),
    /// The Containerfile came on standard input alone.
    Nothing,
}

/// The place of a Containerfile's own ignore file.
#[derive(Debug)]
pub(crate) enum OwnIgnore {
    /// A path of the host.
    Host(PathBuf),
    /// A path in the context, which no link of the context leads out of.
    Context(PathBuf),
}

/// The context, read when it is first needed.
#[derive(Debug)]
pub(crate) struct Context {
    ignore: Option<OwnIgnore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    source: Source,
    tree: Option<Arc<Tree>>,
    /// See [`directory::Read`].
    exact: Option<(Arc<HostRoot>, Stamp)>,
}

impl Context {
    pub(crate) fn new(source: Source, ignore: Option<OwnIgnore>) -> Self {
        Self { ignore, state: Mutex::new(State { source, tree: None, exact: None }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names in it, those that are ignored left out.
    ///
    /// # Errors
    /// A directory that cannot be read, an ignore file that is malformed.
    pub(crate) fn tree(&self) -> Result<Arc<Tree>, Error> {
        let State { source, tree, exact } = &mut *self.state();
        if let Some(tree) = tree {
            return Ok(Arc::clone(tree));
        }
        let read = match source {
            Source::Directory(dir, hashed) => {
                let patterns = ignore_file(self.ignore.as_ref(), dir)?;
                let read = directory::read(dir, &patterns, hashed)?;
                *exact = read.exact;
                read.tree
            }
            Source::Archive(tree) => {
                let patterns = archived_ignore_file(tree)?;
                let whole = std::mem::replace(tree, Tree::new());
                filtered(whole, &patterns)?
            }
            Source::Nothing => Tree::new(),
        };
        Ok(Arc::clone(tree.insert(Arc::new(read))))
    }

    /// The patterns of its ignore file.
    ///
    /// # Errors
    /// An ignore file that is malformed or cannot be read.
    pub(crate) fn patterns(&self) -> Result<Patterns, Error> {
        match &self.state().source {
            Source::Directory(dir, _) => ignore_file(self.ignore.as_ref(), dir),
            Source::Archive(tree) => archived_ignore_file(tree),
            Source::Nothing => Ok(Patterns::default()),
        }
    }

    /// The directory, if mounting it shows just what [`Context::tree`] has.
    pub(crate) fn exact(&self) -> Option<Arc<HostRoot>> {
        self.state().exact.as_ref().map(|(root, _)| Arc::clone(root))
    }

    /// Whether the directory changed since it was read.
    pub(crate) fn has_changed(&self) -> bool {
        let state = self.state();
        match (&state.source, &state.exact) {
            (Source::Directory(dir, _), Some((_, stamp))) => {
                Stamp::of(dir).map_or(true, |now| now != *stamp)
            }
            _ => false,
        }
    }

    /// Keeps what was learnt of its files for the next build.
    pub(crate) fn save(&self) {
        if let Source::Directory(_, hashed) = &self.state().source {
            hashed.save();
        }
    }

    /// What a message calls it.
    pub(crate) fn label(&self) -> &'static str {
        match self.state().source {
            Source::Nothing => "the context, which is empty: only a Containerfile was given",
            _ => "the context",
        }
    }
}

/// All of a directory, nothing ignored, for one use.
///
/// # Errors
/// A directory that cannot be read.
pub(crate) fn whole(dir: &Path) -> Result<Tree, Error> {
    let mut hashed = Hashed::forgotten(None, dir);
    Ok(directory::read(dir, &Patterns::default(), &mut hashed)?.tree)
}

/// The patterns of the Containerfile's own ignore file, else of the context's.
fn ignore_file(own: Option<&OwnIgnore>, dir: &Path) -> Result<Patterns, Error> {
    let root = Root::open(dir).map_err(Error::file(dir))?;
    let patterns = |root: &Root, name: &Path, path: &Path| {
        let text = document::found_in(root, name.as_os_str().as_bytes(), MAX_IGNORE_LEN_BYTES);
        let text = text.map_err(Error::file(path))?;
        text.map(|text| parse(&text, &show_path(path).to_string())).transpose()
    };
    let found = match own {
        Some(OwnIgnore::Host(path)) => {
            let (root, name) = beside(path, dir, root.as_fd()).map_err(Error::file(path))?;
            patterns(&root, &name, path)?
        }
        Some(OwnIgnore::Context(name)) => patterns(&root, name, name)?,
        None => None,
    };
    if let Some(patterns) = found {
        return Ok(patterns);
    }
    for name in IGNORE_FILES {
        if let Some(patterns) = patterns(&root, Path::new(name), &dir.join(name))? {
            return Ok(patterns);
        }
    }
    Ok(Patterns::default())
}

/// What the links of an ignore file beside a Containerfile must not leave, and the file's
/// name in it: the context if it is there, else its directory.
fn beside(path: &Path, dir: &Path, root: BorrowedFd<'_>) -> io::Result<(Root, PathBuf)> {
    let name = path.file_name().unwrap_or_default();
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match fs::canonicalize(folder)?.strip_prefix(fs::canonicalize(dir)?) {
        Ok(below) => Ok((Root::from_fd(root.try_clone_to_owned()?), below.join(name))),
        Err(_) => Ok((Root::open(folder)?, name.into())),
    }
}

fn archived_ignore_file(tree: &Tree) -> Result<Patterns, Error> {
    for name in IGNORE_FILES {
        if let Some(text) = archived(tree, name.as_bytes(), MAX_IGNORE_LEN_BYTES)? {
            return parse(&text, name);
        }
    }
    Ok(Patterns::default())
}

fn parse(text: &[u8], name: &str) -> Result<Patterns, Error> {
    Patterns::parse(text).map_err(|error| Error::Other(format!("{name}: {error}")))
}

/// Reads a small regular file of an archive: what [`document::found_in`] is for a
/// directory.
///
/// # Errors
/// A link to nothing in the archive, a file of another type, or a longer one.
pub(crate) fn archived(
    tree: &Tree,
    path: &[u8],
    limit_bytes: u64,
) -> Result<Option<Vec<u8>>, Error> {
    let failed = |source| Error::Read { path: path.into(), source };
    let Some(node) = tree.get(&tree.resolve(path, Last::Followed)?) else {
        return match tree.get(&tree.resolve(path, Last::NotFollowed)?) {
            Some(_) => Err(failed(document::leads_out())),
            None => Ok(None),
        };
    };
    match file_of(node) {
        Some(file) if file.len_bytes > limit_bytes => Err(failed(document::too_large(limit_bytes))),
        Some(file) => file.small(limit_bytes).map(Some).map_err(failed),
        None => Err(failed(document::not_regular())),
    }
}

/// The tree without what is ignored.
fn filtered(mut tree: Tree, patterns: &Patterns) -> Result<Tree, Error> {
    filter(&mut tree, NodeId::ROOT, &mut Names::new(), patterns, &Matched::default())?;
    Ok(tree)
}

fn filter(
    tree: &mut Tree,
    at: NodeId,
    path: &mut Names,
    patterns: &Patterns,
    parent: &Matched,
) -> Result<(), Error> {
    check_depth(path)?;
    let children: Vec<_> =
        tree.at(at).children().map(|(name, child)| (name.to_vec(), child.id())).collect();
    for (name, child) in children {
        path.push(name.clone());
        let (excluded, matched) = patterns.excludes(&join(path), parent);
        filter(tree, child, path, patterns, &matched)?;
        path.pop();
        let is_kept =
            !excluded || patterns.may_include_again() && tree.at(child).children().next().is_some();
        if !is_kept {
            tree.remove_from(at, &name);
        }
    }
    Ok(())
}
