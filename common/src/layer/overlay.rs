//! How overlayfs and its kin record deletions, opaque directories, redirects and
//! metadata-only copies.
//!
//! Three writers are understood (Documentation/filesystems/overlayfs.rst; the
//! sources of fuse-overlayfs):
//!
//! - the kernel: a whiteout is a character device 0:0, the rest is in
//!   `trusted.overlay.*`;
//! - the kernel with `userxattr`: the same in `user.overlay.*`. Since 6.7 both
//!   forms also know whiteouts that are empty files with an attribute, in
//!   directories marked with `opaque=x`;
//! - fuse-overlayfs: the kernel's forms, or files named as in a layer (`.wh.NAME`,
//!   `.wh..wh..opq`) and `user.fuseoverlayfs.*`.
//!
//! This file knows what one inode's attributes say. The comparison puts directories
//! on top of each other ([`crate::layer::diff`]); what a mount needs is
//! [`crate::mount`]'s.

use crate::mount::Namespace;
use crate::tar::Xattrs;

/// The prefix of a privileged mount's attributes.
pub const TRUSTED_PREFIX: &[u8] = Namespace::Trusted.prefix();

/// The prefix of a `userxattr` mount's attributes.
pub const USER_PREFIX: &[u8] = Namespace::User.prefix();

/// The prefix of fuse-overlayfs's own attributes.
pub const FUSE_PREFIX: &[u8] = b"user.fuseoverlayfs.";

/// Which attributes are overlay's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefixes {
    /// `trusted.overlay.*` where an inode has them, else `user.overlay.*`.
    #[default]
    Auto,
    /// Those of one namespace only; those of the other are attributes like any other.
    Only(Namespace),
}

impl Prefixes {
    /// The prefixes to look under, the decisive one first.
    const fn all(self) -> &'static [&'static [u8]] {
        match self {
            Self::Auto => &[TRUSTED_PREFIX, USER_PREFIX, FUSE_PREFIX],
            Self::Only(Namespace::Trusted) => &[TRUSTED_PREFIX, FUSE_PREFIX],
            Self::Only(Namespace::User) => &[USER_PREFIX, FUSE_PREFIX],
        }
    }

    fn get<'a>(self, xattrs: &'a Xattrs, suffix: &[u8]) -> Option<&'a [u8]> {
        self.all().iter().find_map(|prefix| {
            let name = [prefix, suffix].concat();
            xattrs.get(&name).map(Vec::as_slice)
        })
    }

    /// Takes overlay's own attributes out of `xattrs`, and turns those that were
    /// escaped because a layer itself holds overlay directories
    /// (`trusted.overlay.overlay.opaque`) back into what they stand for.
    pub fn strip(self, xattrs: &mut Xattrs) {
        let mut escaped = Vec::new();
        xattrs.retain(|name, value| {
            let Some((prefix, own)) =
                self.all().iter().find_map(|prefix| Some((prefix, name.strip_prefix(*prefix)?)))
            else {
                return true;
            };
            if let Some(plain) = own.strip_prefix(b"overlay.") {
                escaped.push(([prefix, plain].concat(), std::mem::take(value)));
            }
            false
        });
        xattrs.extend(escaped);
    }
}

/// What a directory's attributes say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirectoryMarks {
    /// Nothing below shows through.
    pub opaque: bool,
    /// Empty files with an attribute are whiteouts here.
    pub holds_xwhiteouts: bool,
    /// Where the lower directories of this one are: a name beside it, or a path
    /// from the root that begins with a slash.
    pub redirect: Option<Vec<u8>>,
}

impl DirectoryMarks {
    /// Reads them from all attributes of a directory.
    #[must_use]
    pub fn of(xattrs: &Xattrs, prefixes: Prefixes) -> Self {
        let opaque = prefixes.get(xattrs, b"opaque");
        Self {
            opaque: opaque == Some(b"y"),
            // 6.7 alone had an attribute of its own for this.
            holds_xwhiteouts: opaque == Some(b"x") || prefixes.get(xattrs, b"whiteouts").is_some(),
            redirect: prefixes.get(xattrs, b"redirect").map(<[u8]>::to_vec),
        }
    }
}

/// What a file's attributes say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileMarks {
    /// It is a whiteout, in a directory that holds such.
    pub whiteout: bool,
    /// Its content is in a lower directory.
    pub metacopy: bool,
    /// Under which name or path its content is there.
    pub redirect: Option<Vec<u8>>,
}

impl FileMarks {
    /// Reads them from all attributes of a file.
    #[must_use]
    pub fn of(xattrs: &Xattrs, prefixes: Prefixes) -> Self {
        Self {
            whiteout: prefixes.get(xattrs, b"whiteout").is_some(),
            metacopy: prefixes.get(xattrs, b"metacopy").is_some(),
            redirect: prefixes.get(xattrs, b"redirect").map(<[u8]>::to_vec),
        }
    }
}

/// Whether the inode was copied up from a lower directory, as far as the writer
/// noted it.
#[must_use]
pub fn was_copied_up(xattrs: &Xattrs, prefixes: Prefixes) -> bool {
    prefixes.get(xattrs, b"origin").is_some()
}

/// How many names an inode has in the merged tree where the mount keeps the links
/// of lower files (`index=on`): `upper_links` and `lower_links` are those of its
/// inodes in either tree. `None` where nothing is noted, or not understood.
#[must_use]
pub fn merged_links(
    xattrs: &Xattrs,
    prefixes: Prefixes,
    upper_links: u32,
    lower_links: Option<u32>,
) -> Option<u32> {
    // fs/overlayfs/util.c, ovl_set_nlink_common: "U+1", "L-1".
    let text = std::str::from_utf8(prefixes.get(xattrs, b"nlink")?).ok()?;
    let mut characters = text.trim_end_matches('\0').chars();
    let links = match characters.next()? {
        'U' => upper_links,
        'L' => lower_links?,
        _ => return None,
    };
    links.checked_add_signed(characters.as_str().parse().ok()?)
}

/// The attribute among `xattrs` that makes what an overlay mount shows differ from
/// what is stored, if there is one.
#[must_use]
pub fn telling_xattr(xattrs: &Xattrs) -> Option<&[u8]> {
    xattrs.keys().map(Vec::as_slice).find(|name| {
        [TRUSTED_PREFIX, USER_PREFIX, FUSE_PREFIX]
            .iter()
            .find_map(|prefix| name.strip_prefix(*prefix))
            .is_some_and(|own| {
                matches!(own, b"opaque" | b"redirect" | b"metacopy" | b"whiteout" | b"whiteouts")
            })
    })
}

#[cfg(test)]
mod tests {
    use super::{DirectoryMarks, FileMarks, Prefixes};
    use crate::mount::Namespace;
    use crate::tar::Xattrs;

    fn xattrs(names: &[(&str, &str)]) -> Xattrs {
        names
            .iter()
            .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
            .collect()
    }

    #[test]
    fn own_attributes_go_and_escaped_ones_come_back() {
        let mut all = xattrs(&[
            ("trusted.overlay.origin", "x"),
            ("trusted.overlay.overlay.opaque", "y"),
            ("trusted.overlay.overlay.overlay.opaque", "y"),
            ("user.overlay.opaque", "y"),
            ("user.note", "n"),
        ]);
        Prefixes::Only(Namespace::Trusted).strip(&mut all);
        let expected = xattrs(&[
            ("trusted.overlay.opaque", "y"),
            ("trusted.overlay.overlay.opaque", "y"),
            ("user.overlay.opaque", "y"),
            ("user.note", "n"),
        ]);
        assert_eq!(all, expected);
    }

    #[test]
    fn the_trusted_mark_decides_over_the_users() {
        let all = xattrs(&[("trusted.overlay.opaque", "x"), ("user.overlay.opaque", "y")]);
        let marks = DirectoryMarks::of(&all, Prefixes::Auto);
        assert!(marks.holds_xwhiteouts && !marks.opaque);
        assert!(DirectoryMarks::of(&all, Prefixes::Only(Namespace::User)).opaque);
    }

    #[test]
    fn merged_links_are_relative_to_either_tree() {
        let links = |text| {
            let all = xattrs(&[("trusted.overlay.nlink", text)]);
            super::merged_links(&all, Prefixes::Auto, 4, Some(9))
        };
        assert_eq!(links("U-1"), Some(3));
        assert_eq!(links("U+1"), Some(5));
        assert_eq!(links("L-2"), Some(7));
        assert_eq!(links("X"), None);
        assert_eq!(links("U-9"), None);
    }

    #[test]
    fn a_metadata_only_copy_is_told_by_its_attribute() {
        let all = xattrs(&[("user.overlay.metacopy", ""), ("user.overlay.redirect", "/a/b")]);
        let marks = FileMarks::of(&all, Prefixes::Auto);
        assert!(marks.metacopy && !marks.whiteout);
        assert_eq!(marks.redirect.as_deref(), Some(&b"/a/b"[..]));
        assert_eq!(FileMarks::of(&all, Prefixes::Only(Namespace::Trusted)), FileMarks::default());
    }
}
