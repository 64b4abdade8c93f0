//! Owners, modes and devices that an ordinary user's tools kept in attributes
//! because they could not set them, and identifiers inside attributes.
//!
//! - `user.containers.override_stat` and `user.fuseoverlayfs.override_stat`
//!   (containers/storage, fuse-overlayfs): `UID:GID:MODE`, with the type behind it
//!   in newer ones (`0:0:0666:block-8-1`);
//! - `user.rootlesscontainers` (rootlesscontaine.rs): a protocol buffer with two
//!   numbers.
//!
//! - `user.layerutils.owner`, our own (see [`crate::layer::recorded`]).
//!
//! In a layer these are what the header says, so they are folded into it.

use super::owner::IdMap;
use crate::layer::acl;
use crate::layer::recorded::{self, Record};
use crate::tar::Xattrs;

const OVERRIDES: [&[u8]; 3] = [
    b"user.containers.override_stat",
    b"user.fuseoverlayfs.override_stat",
    b"security.fuseoverlayfs.override_stat",
];

const ROOTLESS_CONTAINERS: &[u8] = b"user.rootlesscontainers";

/// `uint32` that says "as it is" in `user.rootlesscontainers`.
const NO_ID: u32 = u32::MAX;

/// What an inode would be if its maker had been allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) device: Option<Device>,
    /// Whether owner and group are as seen inside a user namespace, whatever they are in
    /// the file system.
    pub(super) is_inside: bool,
}

/// What a regular file stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Device {
    Char(u32, u32),
    Block(u32, u32),
    Fifo,
}

impl Attributes {
    /// Takes the overrides out of `xattrs` and carries them out. One that is not
    /// understood is left where it is.
    pub(super) fn fold(&mut self, xattrs: &mut Xattrs) {
        if xattrs.is_empty() {
            return;
        }
        if let Some(own) = xattrs.get(recorded::ATTRIBUTE).and_then(|value| Record::parse(value)) {
            self.obey(own);
            xattrs.remove(recorded::ATTRIBUTE);
        }
        for name in OVERRIDES {
            if let Some(own) = xattrs.get(name).and_then(|value| parse_override(value)) {
                *self = own;
                xattrs.remove(name);
            }
        }
        if let Some((uid, gid)) = xattrs.get(ROOTLESS_CONTAINERS).and_then(|v| parse_resource(v)) {
            self.uid = if uid == NO_ID { self.uid } else { uid };
            self.gid = if gid == NO_ID { self.gid } else { gid };
            xattrs.remove(ROOTLESS_CONTAINERS);
        }
    }

    /// Takes over what a record of ours says.
    pub(super) fn obey(&mut self, record: Record) {
        let device = record.device.map(|device| match device {
            recorded::Device::Char(major, minor) => Device::Char(major, minor),
            recorded::Device::Block(major, minor) => Device::Block(major, minor),
        });
        *self = Self { uid: record.uid, gid: record.gid, device, is_inside: true, ..*self };
    }
}

/// The user, the group and the mode that an override says.
pub(in crate::layer) fn recorded(value: &[u8]) -> Option<(u32, u32, u32)> {
    parse_override(value).map(|own| (own.uid, own.gid, own.mode))
}

fn parse_override(value: &[u8]) -> Option<Attributes> {
    let text = std::str::from_utf8(value).ok()?.trim_end_matches('\0');
    let mut fields = text.splitn(4, ':');
    let uid = fields.next()?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let mode = u32::from_str_radix(fields.next()?, 8).ok()? & 0o7777;
    let device = match fields.next() {
        None | Some("file" | "dir" | "symlink") => None,
        Some("pipe" | "fifo") => Some(Device::Fifo),
        Some(device) => {
            let mut parts = device.split('-');
            let (kind, major, minor) = (parts.next()?, parts.next()?, parts.next()?);
            let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
            match (kind, parts.next()) {
                ("char", None) => Some(Device::Char(major, minor)),
                ("block", None) => Some(Device::Block(major, minor)),
                _ => return None,
            }
        }
    };
    Some(Attributes { uid, gid, mode, device, is_inside: false })
}

/// `message Resource { uint32 uid = 1; uint32 gid = 2; }`, zero where left out.
fn parse_resource(mut value: &[u8]) -> Option<(u32, u32)> {
    let (mut uid, mut gid) = (0, 0);
    while let Some((&tag, rest)) = value.split_first() {
        let (number, rest) = parse_varint(rest)?;
        match tag {
            0x08 => uid = number,
            0x10 => gid = number,
            _ => return None,
        }
        value = rest;
    }
    Some((uid, gid))
}

fn parse_varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(5) {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(number).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

/// Maps the identifiers inside access control lists and capabilities as the owner
/// is mapped. What has no place inside stays as it is.
pub(super) fn map_identifiers(xattrs: &mut Xattrs, uids: &IdMap, gids: &IdMap) {
    for (_, value) in xattrs.iter_mut().filter(|(name, _)| acl::is_acl(name)) {
        acl::map_identifiers(value, |id| uids.inside(id), |id| gids.inside(id));
    }
    if let Some(value) = xattrs.get_mut(&b"security.capability"[..]) {
        map_capability(value, uids);
    }
}

/// linux/capability.h: revision 3 has the user that is root in the namespace it is
/// for behind what revision 2 has. Seen from inside, it is revision 2.
fn map_capability(value: &mut Vec<u8>, uids: &IdMap) {
    const REVISION_2: u8 = 2;
    const REVISION_3: u8 = 3;
    const LEN_2: usize = 20;
    let Ok([.., a, b, c, d]) = <[u8; 24]>::try_from(value.as_slice()) else { return };
    let inside = uids.inside(u32::from_le_bytes([a, b, c, d]));
    if inside == Some(0) && value.get(3) == Some(&REVISION_3) {
        value.truncate(LEN_2);
        if let Some(revision) = value.get_mut(3) {
            *revision = REVISION_2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attributes, Device, map_capability, parse_resource};
    use crate::layer::diff::owner::{IdMap, IdRange};
    use crate::tar::Xattrs;

    const INODE: Attributes =
        Attributes { uid: 1000, gid: 1000, mode: 0o644, device: None, is_inside: false };

    fn fold(name: &str, value: &[u8]) -> (Attributes, Xattrs) {
        let mut xattrs = Xattrs::from([(name.as_bytes().to_vec(), value.to_vec())]);
        let mut attributes = INODE;
        attributes.fold(&mut xattrs);
        (attributes, xattrs)
    }

    #[test]
    fn overrides_become_the_header() {
        let (own, left) = fold("user.containers.override_stat", b"3:4:04755");
        assert_eq!(own, Attributes { uid: 3, gid: 4, mode: 0o4755, ..INODE });
        assert!(left.is_empty());
        let (own, _) = fold("user.fuseoverlayfs.override_stat", b"0:0:0600:block-8-1");
        assert_eq!(own.device, Some(Device::Block(8, 1)));
        let (own, left) = fold("user.containers.override_stat", b"0:0:nonsense");
        assert_eq!((own, left.len()), (INODE, 1));
        let (own, left) = fold("user.layerutils.owner", b"7:8:char-1-3");
        let device = Some(Device::Char(1, 3));
        assert_eq!(own, Attributes { uid: 7, gid: 8, device, is_inside: true, ..INODE });
        assert!(left.is_empty());
    }

    #[test]
    fn rootless_containers_numbers_are_read() {
        assert_eq!(parse_resource(b"\x08\x05\x10\xac\x02"), Some((5, 300)));
        assert_eq!(parse_resource(b""), Some((0, 0)));
        assert_eq!(parse_resource(b"\x08"), None);
        assert_eq!(parse_resource(b"\x08\xff\xff\xff\xff\x7f"), None);
        let (own, _) = fold("user.rootlesscontainers", b"\x08\xff\xff\xff\xff\x0f\x10\x07");
        assert_eq!((own.uid, own.gid), (1000, 7));
    }

    fn map() -> IdMap {
        IdMap(vec![
            IdRange { inside: 0, outside: 1000, count: 1 },
            IdRange { inside: 1, outside: 100_000, count: 10 },
        ])
    }

    #[test]
    fn a_capability_of_our_namespace_is_one_of_any() {
        let mut capability = vec![0_u8; 24];
        capability[0..4].copy_from_slice(&[1, 0, 0, 3]);
        capability[20..].copy_from_slice(&1000_u32.to_le_bytes());
        map_capability(&mut capability, &map());
        assert_eq!((capability.len(), capability[3]), (20, 2));
    }
}
