//! ADD of a local archive: its members, put below the destination.

use std::io::Read;

use common::compression::{Decoder, MaxSize};
use common::layer::tree::NodeRef;
use common::layer::whiteout::PREFIX;
use common::root::split;
use common::tar;

use super::transfer::Copying;
use crate::error::Error;
use crate::tree::{File, Item, Last, Names, Node, Scanned, components, join, of_archive};

/// How much of a file tells whether it is an archive: a tar header, or enough of a
/// compressed one.
const BLOCK_LEN: u64 = 512;

/// The members of `file` if it is a tar archive, in any compression.
///
/// # Errors
/// A file that cannot be read; one that begins as an archive and is none.
pub(crate) fn open(file: &File, max_size: MaxSize) -> std::io::Result<Option<Scanned>> {
    let mut start = Vec::new();
    let growth = max_size.growth(Some(file.len_bytes));
    let Ok(decoder) = Decoder::new(file.read()?, growth.clone()) else { return Ok(None) };
    // What only looks compressed is an ordinary file.
    if decoder.take(BLOCK_LEN).read_to_end(&mut start).is_err() || !is_header(&start) {
        return Ok(None);
    }
    of_archive(file.read()?, growth).map(Some)
}

/// A tar header has the right checksum; the magic is younger than the format.
fn is_header(block: &[u8]) -> bool {
    let Some(field) = block.get(148..156) else { return false };
    if block.len() < 512 || block.iter().all(|byte| *byte == 0) {
        return false;
    }
    let digits: String = field.iter().map(|byte| char::from(*byte)).collect();
    let digits = digits.trim_matches([' ', '\0']);
    let Ok(stated) = u32::from_str_radix(digits, 8) else { return false };
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let of_field: u32 = field.iter().map(|byte| u32::from(*byte)).sum();
    sum - of_field + 8 * u32::from(b' ') == stated
}

impl Copying<'_> {
    /// Unpacks an archive into a directory, which is made if it is missing. As
    /// tar(1) does it below a root: members replace what is there, but for
    /// directories, which are merged.
    ///
    /// # Errors
    /// A member whose name climbs, or that no layer can hold.
    pub(crate) fn unpack(
        &mut self,
        (members, archive): Scanned,
        destination: &[u8],
    ) -> Result<(), Error> {
        let top = self.target.resolve(destination, Last::Followed)?;
        let is_new = self.target.get(&top).is_none();
        self.make(&top)?;
        for member in members {
            let path = &member.entry.path;
            split(path).map_err(|source| Error::InvalidPath { path: path.clone(), source })?;
            let mut names: Names = components(path).collect();
            if names.iter().any(|name| name.starts_with(PREFIX)) {
                return Err(Error::ReservedName(path.clone()));
            }
            let Some(last) = names.pop() else {
                // The directory itself, which is described if it is not there yet.
                if is_new {
                    let item = self.rules.changed(Item::of_member(member, &archive));
                    self.target.describe(&top, item.attributes);
                }
                continue;
            };
            let mut at = self.target.resolve_below(&top, &join(&names), Last::Followed)?;
            self.make(&at)?;
            at.push(last);
            match &member.entry.kind {
                tar::Kind::HardLink { target } => self.link(&top, target, &at)?,
                _ => self.replace(Item::of_member(member, &archive), &at)?,
            }
        }
        Ok(())
    }

    fn replace(&mut self, item: Item, at: &Names) -> Result<(), Error> {
        let is_directory = self.target.get(at).map(Node::is_directory);
        if is_directory == Some(item.is_directory()) || is_directory.is_none() {
            return self.place_item(item, at, None);
        }
        self.remove(at);
        let item = self.rules.changed(item);
        self.target.put(at, item);
        self.changed.insert(at.clone());
        Ok(())
    }

    /// Removes what is in the way of a member of another type, and all that is in it.
    fn remove(&mut self, at: &Names) {
        let Some((name, parent)) = at.split_last() else { return };
        let Some(parent) = self.target.get(parent).map(NodeRef::id) else { return };
        self.target.remove_from(parent, name);
        let below: Vec<Names> = self
            .changed
            .range(at.clone()..)
            .take_while(|names| names.starts_with(at))
            .cloned()
            .collect();
        for names in &below {
            self.changed.remove(names);
        }
    }

    /// Another name for the file that an earlier member made.
    fn link(&mut self, top: &Names, target: &[u8], at: &Names) -> Result<(), Error> {
        split(target).map_err(|source| Error::InvalidPath { path: target.to_vec(), source })?;
        let names = self.target.resolve_below(top, target, Last::NotFollowed)?;
        let node = self.target.get(&names).filter(|node| !node.is_directory());
        let Some(inode) = node.and_then(NodeRef::inode_id) else {
            return Err(Error::LinkToNothing(join(at)));
        };
        if self.target.get(at).is_some_and(Node::is_directory) {
            self.remove(at);
        }
        self.target.put_name(at, inode);
        self.changed.extend([names, at.clone()]);
        Ok(())
    }
}
