//! The contents of the files of a plan, one after the other. Where the sink is going to
//! read them all, small ones are read ahead on all processors: opening, reading and
//! closing a small file takes longer than passing it on.
//!
//! A batch of files is read at a time, since waking a thread takes longer than reading
//! one. Large files are left to the sink, which reads them as it goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::vec;

use super::Error;
use super::content::FileContent;
use super::node::Node;
use super::plan::{Item, ItemId, Plan};
use super::pool::{Pending, Pool, Work};
use super::route::Route;
use super::stack::{Directory, Stack};
use crate::descriptors;

/// The longest file that is read ahead.
const MAX_LEN_BYTES: u64 = 64 << 10;

/// When a batch is full: it has this many files, or bytes to read, or keeps this many
/// directories open.
const BATCH_FILES: usize = 64;
const BATCH_LEN_BYTES: u64 = 256 << 10;
const BATCH_DIRECTORIES: usize = 8;

/// How many batches there are for each thread, at most: they bound the memory and the
/// open directories.
const BATCHES_PER_THREAD: usize = 2;

/// Gives out the contents of a plan's files in its order.
pub(super) struct Contents<'a> {
    cursor: Cursor<'a>,
    pool: Pool<Batch>,
    /// How many batches are read ahead.
    ahead: usize,
    waiting: VecDeque<Pending<Batch>>,
    /// Why there are no more batches.
    failure: Option<Error>,
    current: vec::IntoIter<FileContent>,
    /// What the current ones are read from, if they were read ahead.
    bytes: Arc<Vec<u8>>,
    /// Memory that is free again.
    spare: Vec<Vec<u8>>,
}

/// Whether `item` is told with content of its own.
pub(super) fn has_content(item: &Item) -> bool {
    item.told && item.link.is_none() && item.node().is_some_and(Node::is_file)
}

impl<'a> Contents<'a> {
    /// The contents of what `plan` has of `upper`; `reads_ahead` where they will all be
    /// read.
    pub(super) fn new(plan: &'a Plan, upper: &'a Stack, reads_ahead: bool) -> Self {
        let pool = Pool::new();
        let ahead = match reads_ahead {
            true => descriptors::share(4 * BATCH_DIRECTORIES, pool.threads() * BATCHES_PER_THREAD),
            false => 0,
        };
        Self {
            cursor: Cursor {
                plan,
                upper,
                next: Plan::ROOT,
                route: Route::default(),
                opened: Vec::new(),
            },
            pool,
            ahead,
            waiting: VecDeque::new(),
            failure: None,
            current: Vec::new().into_iter(),
            bytes: Arc::default(),
            spare: Vec::new(),
        }
    }

    /// The content of the next item that has any.
    ///
    /// # Errors
    /// A directory above it that cannot be opened, or is not what it was.
    pub(super) fn next(&mut self) -> Result<Option<FileContent>, Error> {
        if self.ahead == 0 {
            return self.cursor.next();
        }
        loop {
            if let Some(content) = self.current.next() {
                return Ok(Some(content));
            }
            if let Ok(mut bytes) = Arc::try_unwrap(std::mem::take(&mut self.bytes)) {
                bytes.clear();
                self.spare.push(bytes);
            }
            while self.waiting.len() < self.ahead {
                let Some(batch) = self.batch() else { break };
                self.waiting.push_back(self.pool.submit(batch));
            }
            let Some(next) = self.waiting.pop_front() else {
                return self.failure.take().map_or(Ok(None), Err);
            };
            let (files, bytes) = self.pool.wait(next);
            self.current = files.into_iter();
            self.bytes = bytes;
        }
    }

    fn batch(&mut self) -> Option<Batch> {
        let mut files: Vec<FileContent> = Vec::new();
        let (mut directories, mut len_bytes) = (0, 0);
        while files.len() < BATCH_FILES
            && directories < BATCH_DIRECTORIES
            && len_bytes < BATCH_LEN_BYTES
            && self.failure.is_none()
        {
            match self.cursor.next() {
                Ok(Some(content)) => {
                    if files.last().is_none_or(|last| !last.is_beside(&content)) {
                        directories += 1;
                    }
                    if content.len_bytes() <= MAX_LEN_BYTES {
                        len_bytes += content.len_bytes();
                    }
                    files.push(content);
                }
                Ok(None) => break,
                // The files before it come first, whatever becomes of them.
                Err(failure) => self.failure = Some(failure),
            }
        }
        if files.is_empty() {
            return None;
        }
        Some(Batch { files, bytes: self.spare.pop().unwrap_or_default() })
    }
}

/// Files to be read.
struct Batch {
    files: Vec<FileContent>,
    bytes: Vec<u8>,
}

impl Work for Batch {
    type Result = (Vec<FileContent>, Arc<Vec<u8>>);
    type Scratch = ();

    fn run(self, (): &mut ()) -> Self::Result {
        let Self { mut files, mut bytes } = self;
        let small = |file: &&mut FileContent| file.len_bytes() <= MAX_LEN_BYTES;
        let parts: Vec<_> =
            files.iter_mut().filter(small).map(|file| file.read_ahead(&mut bytes)).collect();
        let bytes = Arc::new(bytes);
        for (file, part) in files.iter_mut().filter(small).zip(parts) {
            file.hold(Arc::clone(&bytes), part);
        }
        (files, bytes)
    }
}

/// Goes through the items of a plan, with the directories that they are in open.
struct Cursor<'a> {
    plan: &'a Plan,
    upper: &'a Stack,
    next: ItemId,
    route: Route,
    /// The directories above the last file, the root first.
    opened: Vec<(ItemId, Directory)>,
}

impl Cursor<'_> {
    /// The content of the next item that has any, unopened.
    fn next(&mut self) -> Result<Option<FileContent>, Error> {
        while let Some(item) = self.plan.items().get(self.next) {
            self.route.move_to(self.next, item);
            self.next += 1;
            if let Some(node) = item.node().filter(|_| has_content(item)) {
                return self.content(item, node).map(Some);
            }
        }
        Ok(None)
    }

    fn content(&mut self, item: &Item, node: &Node) -> Result<FileContent, Error> {
        self.open_levels()?;
        let path = self.route.path();
        let unstable = || Error::Unstable { path: self.upper.label(0, path) };
        let (_, directory) = self.opened.last().ok_or_else(unstable)?;
        let (place, is_elsewhere) =
            self.upper.content(directory, &item.name, path)?.ok_or_else(unstable)?;
        let expected = if is_elsewhere { None } else { Some(node.inode) };
        let label = self.upper.label(0, path);
        Ok(FileContent::new(place, label, expected, node.inode.len_bytes))
    }

    /// Opens the directories down to the last level, as far as they are not.
    fn open_levels(&mut self) -> Result<(), Error> {
        let levels = self.route.levels();
        let are_open = self.opened.iter().zip(levels).take_while(|(one, level)| one.0 == level.id);
        self.opened.truncate(are_open.count());
        for &level in levels.iter().skip(self.opened.len()) {
            let path = self.route.path_of(level);
            let unstable = || Error::Unstable { path: self.upper.label(0, path) };
            let item = self.plan.items().get(level.id).ok_or_else(unstable)?;
            let found = match self.opened.last() {
                None => self.upper.root()?,
                Some((_, parent)) => {
                    let found = self.upper.lookup(parent, &item.name, 0, path)?.found();
                    found.ok_or_else(unstable)?
                }
            };
            if item.node().is_none_or(|node| node.inode.id != found.inode.id) {
                return Err(unstable());
            }
            self.opened.push((level.id, self.upper.open(found.parts(), path)?));
        }
        Ok(())
    }
}
