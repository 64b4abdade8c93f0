//! The context: a directory, a tar archive, or nothing; as a tree of names.

mod directory;
mod hashed;
mod ignore;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use hashed::Hashed;
pub(crate) use ignore::{Matched, PatternError, Patterns};

use crate::error::Error;
use crate::tree::{self, Kind, Last, Tree};

/// Ignore files larger than this are no ignore files.
const MAX_IGNORE_LEN_BYTES: u64 = 4 << 20;

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

/// The context, read when it is first needed.
#[derive(Debug)]
pub(crate) struct Context {
    source: Source,
    /// The Containerfile's own ignore file, as path in the context or of the host.
    ignore: Option<PathBuf>,
    tree: Option<Arc<Tree>>,
}

impl Context {
    pub(crate) fn new(source: Source, ignore: Option<PathBuf>) -> Self {
        Self { source, ignore, tree: None }
    }

    /// The names in it, those that are ignored left out.
    ///
    /// # Errors
    /// A directory that cannot be read, an ignore file that is malformed.
    pub(crate) fn tree(&mut self) -> Result<Arc<Tree>, Error> {
        if let Some(tree) = &self.tree {
            return Ok(Arc::clone(tree));
        }
        let tree = match &mut self.source {
            Source::Directory(dir, hashed) => {
                directory::read(dir, &ignore_file(self.ignore.as_deref(), dir)?, hashed)?
            }
            Source::Archive(tree) => {
                let patterns = archived_ignore_file(tree)?;
                let whole = std::mem::replace(tree, Tree::new());
                filtered(whole, &patterns)
            }
            Source::Nothing => Tree::new(),
        };
        Ok(Arc::clone(self.tree.insert(Arc::new(tree))))
    }

    /// Keeps what was learnt of its files for the next build.
    pub(crate) fn save(&self) {
        if let Source::Directory(_, hashed) = &self.source {
            hashed.save();
        }
    }

    /// What a message calls it.
    pub(crate) fn label(&self) -> &'static str {
        match self.source {
            Source::Nothing => "the context, which is empty: only a Containerfile was given",
            _ => "the context",
        }
    }
}

/// The patterns of the Containerfile's own ignore file, else of the context's.
fn ignore_file(own: Option<&Path>, dir: &Path) -> Result<Patterns, Error> {
    let usual = [".containerignore", ".dockerignore"].map(|name| dir.join(name));
    for path in own.map(Path::to_owned).into_iter().chain(usual) {
        let text = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() <= MAX_IGNORE_LEN_BYTES => std::fs::read(&path),
            Ok(_) => Err(std::io::ErrorKind::FileTooLarge.into()),
            Err(error) => Err(error),
        };
        let named = |error| Error::Other(format!("{}: {error}", common::name::show_path(&path)));
        return match text {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => Err(Error::file(&path)(error)),
            Ok(text) => Patterns::parse(&text).map_err(named),
        };
    }
    Ok(Patterns::default())
}

fn archived_ignore_file(tree: &Tree) -> Result<Patterns, Error> {
    for name in [".containerignore", ".dockerignore"] {
        let names = tree.resolve(name.as_bytes(), Last::Followed)?;
        if let Some(Kind::File(file)) = tree.get(&names).map(|node| &node.kind) {
            let failed = |source| Error::Read { path: name.into(), source };
            let text = file.small(MAX_IGNORE_LEN_BYTES).map_err(failed)?;
            return Patterns::parse(&text)
                .map_err(|error| Error::Other(format!("{name}: {error}")));
        }
    }
    Ok(Patterns::default())
}

/// The tree without what is ignored.
fn filtered(mut tree: Tree, patterns: &Patterns) -> Tree {
    fn walk(node: &mut tree::Node, path: &[u8], patterns: &Patterns, parent: &Matched) {
        let Kind::Directory(children) = &mut node.kind else { return };
        children.retain(|name, child| {
            let path = if path.is_empty() { name.clone() } else { [path, name].join(&b'/') };
            let (excluded, matched) = patterns.excludes(&path, parent);
            walk(child, &path, patterns, &matched);
            !excluded
                || child
                    .children()
                    .is_some_and(|children| !children.is_empty() && patterns.may_include_again())
        });
    }
    walk(&mut tree.root, b"", patterns, &Matched::default());
    tree
}
