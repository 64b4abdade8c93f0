//! Two images to be compared: the layers that both begin with are read once.

use super::{Error, Inside, Place, Reading, steps};
use crate::image::Image;
use crate::layer::tree::Inode;
use crate::tar::Kind;

/// Which of two images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is compared with.
    Old,
    /// The other.
    New,
}

/// Reads two images, each with how it is to be read.
///
/// # Errors
/// As [`Inside::read`], with the image that it is about.
pub fn read_two(
    (old, of_old): (Image, Reading),
    (new, of_new): (Image, Reading),
) -> Result<(Inside, Inside), (Side, Error)> {
    let same = old.layers().zip(new.layers());
    let shared = same.take_while(|(one, other)| one.diff_id == other.diff_id).count();
    let all = (old.layers().len(), new.layers().len());
    let mut old = Inside::begin(old, of_old);
    old.go_on(shared).map_err(|error| (Side::Old, error))?;
    let mut new = Inside {
        layers: old.layers.clone(),
        tree: old.tree.clone(),
        xattrs_left: old.xattrs_left,
        ..Inside::begin(new, of_new)
    };
    // The same layers may have been made by steps with other words, and be stored otherwise.
    let own: Vec<_> = new.image.layers().zip(steps(&new.image)).take(shared).collect();
    for (sums, (layer, step)) in new.layers.iter_mut().zip(own) {
        (sums.layer, sums.step) = (layer, step);
    }
    new.go_on(all.1).map_err(|error| (Side::New, error))?;
    old.go_on(all.0).map_err(|error| (Side::Old, error))?;
    Ok((old, new))
}

impl Inside {
    /// Whether two files, one of this image and one of `other`, are known to have the same
    /// content: they are the same member of the same layer, or both are empty.
    #[must_use]
    pub fn is_same_content(&self, own: &Inode<Place>, other: &Self, others: &Inode<Place>) -> bool {
        if own.kind != Kind::File || others.kind != Kind::File {
            return false;
        }
        if own.len_bytes == 0 && others.len_bytes == 0 {
            return true;
        }
        let (one, two) = (self.layer(own.content.layer), other.layer(others.content.layer));
        own.content.position == others.content.position
            && one.map(|sums| &sums.layer.diff_id) == two.map(|sums| &sums.layer.diff_id)
    }
}
