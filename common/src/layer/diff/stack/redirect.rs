//! Where a redirect leads: a renamed directory, or a file whose content stayed
//! below under another name.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::lookup::{Candidate, Single};
use super::{Error, Layer, Place, Stack};
use crate::layer::inode;
use crate::layer::overlay::{DirectoryMarks, Prefixes};

impl Stack {
    /// Where to look on below `layer` for what `redirect` names.
    pub(super) fn redirect(
        &self,
        candidates: &mut Vec<Candidate>,
        layer: usize,
        redirect: &[u8],
        prefixes: Prefixes,
        path: &[u8],
    ) -> Result<(), Error> {
        let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
        let Some(absolute) = redirect.strip_prefix(b"/") else {
            if !is_name(redirect) {
                return Err(self.broken(layer, path, "its redirect is neither a name nor a path"));
            }
            for candidate in candidates {
                candidate.place.name = redirect.to_vec();
            }
            return Ok(());
        };
        let components: Vec<&[u8]> = absolute.split(|&byte| byte == b'/').collect();
        let Some((last, parents)) = components.split_last() else { return Ok(()) };
        if !components.iter().all(|name| is_name(name)) {
            return Err(self.broken(layer, path, "its redirect is not a plain path"));
        }
        candidates.clear();
        for (index, below) in self.layers.iter().enumerate().skip(layer + 1) {
            let walked = walk(below, parents, prefixes);
            let walked = walked.map_err(|errno| self.read_error(index, absolute, errno))?;
            if let Some((directory, holds_xwhiteouts)) = walked.directory {
                let place = Place { directory, name: last.to_vec() };
                candidates.push(Candidate { layer: index, place, holds_xwhiteouts });
            }
            if walked.hides_below {
                break;
            }
        }
        candidates.reverse();
        Ok(())
    }
}

/// Where a walk through one layer ended.
struct Walked {
    directory: Option<(Arc<OwnedFd>, bool)>,
    hides_below: bool,
}

/// Walks directories of one layer.
fn walk(layer: &Layer, names: &[&[u8]], prefixes: Prefixes) -> Result<Walked, Errno> {
    let mut directory = Arc::clone(&layer.fd);
    let mut hides_below = false;
    let xattrs = inode::xattrs(directory.as_fd(), b"")?;
    let mut holds_xwhiteouts = DirectoryMarks::of(&xattrs, prefixes).holds_xwhiteouts;
    for name in names {
        let place = Place { directory, name: name.to_vec() };
        let candidate = Candidate { layer: 0, place, holds_xwhiteouts };
        match Stack::single(&candidate, prefixes)? {
            Single::Absent => return Ok(Walked { directory: None, hides_below }),
            Single::Whiteout | Single::File(..) => {
                return Ok(Walked { directory: None, hides_below: true });
            }
            Single::Directory(_, _, marks) => {
                hides_below |= marks.opaque;
                holds_xwhiteouts = marks.holds_xwhiteouts;
                let at = candidate.place.directory();
                directory = Arc::new(inode::open_directory(at, name)?);
            }
        }
    }
    Ok(Walked { directory: Some((directory, holds_xwhiteouts)), hides_below })
}
