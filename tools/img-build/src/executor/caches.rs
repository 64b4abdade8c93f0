//! The directories of cache mounts: made whole, and locked as their sharing asks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::cache;
use common::containerfile::Sharing;
use common::lock::{Lock, Mode};

use super::mounts::{copy_out, set_attributes};
use super::schedule::Schedule;
use crate::error::Error;
use crate::scratch::Scratch;
use crate::step::transfer::Found;
use crate::tree::Tree;

/// The content of a cache mount, in the cache's directory.
const CONTENT: &str = "content";

/// A cache mount, and what its directory begins with.
#[derive(Debug)]
pub(super) struct Cache {
    pub(super) dir: PathBuf,
    pub(super) sharing: Sharing,
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    pub(super) seed: Option<(Arc<Tree>, Found)>,
}

/// The locked caches of one step, by the directories that they were asked for by.
#[derive(Debug, Default)]
pub(super) struct Locked(BTreeMap<PathBuf, (PathBuf, Lock)>);

impl Locked {
    /// Makes and locks the directories of a step's cache mounts. Several mounts of one cache
    /// have one lock, of the strictest sharing.
    ///
    /// # Errors
    /// A directory that cannot be made; a failure of the build while another step or build
    /// has the lock.
    pub(super) fn lock<'a>(
        caches: impl Iterator<Item = &'a Cache>,
        scratch: &Scratch,
        schedule: &Schedule,
    ) -> Result<Self, Error> {
        // In the same order for all, so that no two wait for each other.
        let mut wanted: BTreeMap<&Path, (&Cache, Sharing)> = BTreeMap::new();
        for cache in caches {
            let (_, sharing) = wanted.entry(&cache.dir).or_insert((cache, cache.sharing));
            *sharing = (*sharing).max(cache.sharing);
        }
        let mut locked = BTreeMap::new();
        for (dir, (cache, sharing)) in wanted {
            locked.insert(dir.to_owned(), lock(cache, sharing, scratch, schedule)?);
        }
        Ok(Self(locked))
    }

    /// The directory to mount for a cache.
    pub(super) fn content(&self, cache: &Cache) -> PathBuf {
        self.0.get(&cache.dir).map_or(&cache.dir, |(dir, _)| dir).join(CONTENT)
    }
}

fn lock(
    cache: &Cache,
    sharing: Sharing,
    scratch: &Scratch,
    schedule: &Schedule,
) -> Result<(PathBuf, Lock), Error> {
    let mode = match sharing {
        Sharing::Shared => Mode::Shared,
        Sharing::Private | Sharing::Locked => Mode::Exclusive,
    };
    for number in 0.. {
        let dir = match number {
            0 => cache.dir.clone(),
            _ => cache.dir.with_extension(number.to_string()),
        };
        cache::make(&dir).map_err(Error::file(&dir))?;
        let path = dir.join("lock");
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        loop {
            let attempt = options.open(&path).and_then(|file| Lock::attempt(file, mode));
            if let Some(lock) = attempt.map_err(Error::file(&path))? {
                make(cache, &dir, scratch, schedule)?;
                return Ok((dir, lock));
            }
            if sharing == Sharing::Private {
                break;
            }
            schedule.pause()?;
        }
    }
    Err(Error::Other("no cache directory is free".into()))
}

/// Makes the content of a cache if there is none. It appears as a whole: others may share
/// the cache, and a build may be killed.
fn make(cache: &Cache, dir: &Path, scratch: &Scratch, schedule: &Schedule) -> Result<(), Error> {
    let content = dir.join(CONTENT);
    let is_there = || content.try_exists().map_err(Error::file(&content));
    while !is_there()? {
        let attempt = File::open(dir).and_then(|folder| Lock::attempt(folder, Mode::Exclusive));
        match attempt.map_err(Error::file(dir))? {
            Some(_making) if !is_there()? => {
                let (aside, name) = (scratch.dir("cache")?, CONTENT);
                let new = aside.join(name);
                fs::create_dir(&new).map_err(Error::file(&new))?;
                set_attributes(&new, cache.mode, cache.owner).map_err(Error::file(&new))?;
                if let Some((tree, found)) = &cache.seed {
                    copy_out(tree, found, (&aside, name), scratch)?;
                }
                fs::rename(&new, &content).map_err(Error::file(&content))?;
                return fs::remove_dir(&aside).map_err(Error::file(aside));
            }
            Some(_) => return Ok(()),
            None => schedule.pause()?,
        }
    }
    Ok(())
}
