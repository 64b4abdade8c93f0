//! Access control lists as extended attributes hold them, for the identifiers in
//! them: whose they are depends on who writes and who reads a layer.

/// Whether an extended attribute is an access control list.
pub(super) fn is_acl(name: &[u8]) -> bool {
    name == b"system.posix_acl_access" || name == b"system.posix_acl_default"
}

/// Replaces the users and groups that a list names; those for which there is no
/// other stay as they are. linux/posix_acl_xattr.h: a version, then entries of tag,
/// permissions and identifier, all little-endian.
pub(super) fn map_identifiers(
    value: &mut [u8],
    user: impl Fn(u32) -> Option<u32>,
    group: impl Fn(u32) -> Option<u32>,
) {
    const ACL_USER: u16 = 0x02;
    const ACL_GROUP: u16 = 0x08;
    for entry in value.get_mut(4..).unwrap_or_default().chunks_exact_mut(8) {
        let [tag_low, tag_high, _, _, a, b, c, d] = entry else { continue };
        let id = u32::from_le_bytes([*a, *b, *c, *d]);
        let mapped = match u16::from_le_bytes([*tag_low, *tag_high]) {
            ACL_USER => user(id),
            ACL_GROUP => group(id),
            _ => None,
        };
        if let Some(mapped) = mapped {
            [*a, *b, *c, *d] = mapped.to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::map_identifiers;

    #[test]
    fn named_users_are_mapped_and_nothing_else() {
        let mut acl = b"\x02\0\0\0\x02\0\x07\0\xa0\x86\x01\0\x04\0\x05\0\xff\xff\xff\xff".to_vec();
        map_identifiers(&mut acl, |id| Some(id - 99_999), |_| None);
        assert_eq!(acl, b"\x02\0\0\0\x02\0\x07\0\x01\0\0\0\x04\0\x05\0\xff\xff\xff\xff");
    }
}
