//! Which extended attributes are taken from a layer, and as what.

use std::borrow::Cow;

use super::options::Form;
use super::summary::Reason;
use crate::mount::Namespace;
use crate::tar::Xattrs;

/// Attributes that mean something on one host only: labels of its policy, and
/// what its file systems show of themselves.
const HOST_BOUND: [&[u8]; 9] = [
    b"security.selinux",
    b"security.SMACK64",
    b"security.SMACK64EXEC",
    b"security.SMACK64MMAP",
    b"security.SMACK64TRANSMUTE",
    b"security.apparmor",
    b"system.nfs4_acl",
    b"system.cifs_acl",
    b"btrfs.compression",
];

/// By which rootless tools override owners and modes (umoci, containers/storage,
/// fuse-overlayfs): taken from a layer they would forge them.
const ROOTLESS_PREFIXES: [&[u8]; 7] = [
    b"user.layerutils.",
    b"user.rootlesscontainers",
    b"user.containers.override_",
    b"user.fuseoverlayfs.",
    b"trusted.fuseoverlayfs.",
    b"security.fuseoverlayfs.",
    b"user.fakechroot",
];

/// What becomes of an attribute of the layer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate<'a> {
    /// It is set under this name.
    Set(Cow<'a, [u8]>),
    /// It is left out.
    Dropped(Reason),
}

/// What becomes of the attribute `name`.
pub(super) fn fate<'a>(name: &'a [u8], form: &Form) -> Fate<'a> {
    if HOST_BOUND.contains(&name) {
        return Fate::Dropped(Reason::HostBound);
    }
    if ROOTLESS_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Fate::Dropped(Reason::Overlay);
    }
    for namespace in [Namespace::Trusted, Namespace::User] {
        let Some(rest) = name.strip_prefix(namespace.prefix()) else { continue };
        return match form {
            // A mount shows `trusted.overlay.overlay.x` as `trusted.overlay.x`, and
            // does not obey it (Linux 6.7, "Nested overlay" in overlayfs.rst).
            Form::Overlay { namespace: own, .. } if *own == namespace => {
                Fate::Set(Cow::Owned(namespace.attribute(&[b"overlay.", rest].concat())))
            }
            // A plain tree, too, may become a lower directory some day.
            _ => Fate::Dropped(Reason::Overlay),
        };
    }
    Fate::Set(Cow::Borrowed(name))
}

/// Leaves out the attributes that would not be set in a plain tree.
pub(crate) fn keep_what_is_set(xattrs: &mut Xattrs) {
    xattrs.retain(|name, _| matches!(fate(name, &Form::Plain), Fate::Set(_)));
}

/// Whether an attribute found on a directory stays when a layer describes that
/// directory anew: what the layer could not have set is not its to remove.
pub(super) fn survives(name: &[u8], form: &Form) -> bool {
    match form {
        Form::Overlay { namespace, .. } if name.starts_with(namespace.prefix()) => {
            // Our own marks, but not what an earlier entry had escaped.
            !name.starts_with(&namespace.attribute(b"overlay."))
        }
        _ => HOST_BOUND.contains(&name) || name == b"security.ima" || name == b"security.evm",
    }
}

/// Whether a refusal to set `name` is to be expected, so that it is counted and
/// not an error, even where owners are kept.
pub(super) fn may_be_refused(name: &[u8], on_file_or_directory: bool) -> bool {
    // user(7): files and directories only, "EPERM" otherwise.
    (name.starts_with(b"user.") && !on_file_or_directory)
        // Only the initial user namespace may set these.
        || name.starts_with(b"trusted.")
        || name == b"security.ima"
        || name == b"security.evm"
}

#[cfg(test)]
mod tests {
    use super::super::options::Form;
    use super::{Fate, Reason, fate};
    use crate::mount::Namespace;

    fn overlay(namespace: Namespace) -> Form {
        Form::Overlay { namespace, lowers: Vec::new().into() }
    }

    #[test]
    fn overlay_attributes_are_escaped_where_they_would_be_obeyed() {
        let smuggled = b"trusted.overlay.opaque";
        let escaped = Fate::Set(b"trusted.overlay.overlay.opaque".to_vec().into());
        assert_eq!(fate(smuggled, &overlay(Namespace::Trusted)), escaped);
        assert_eq!(fate(smuggled, &overlay(Namespace::User)), Fate::Dropped(Reason::Overlay));
        assert_eq!(fate(smuggled, &Form::Plain), Fate::Dropped(Reason::Overlay));
        let nested = b"user.overlay.overlay.opaque";
        let escaped = Fate::Set(b"user.overlay.overlay.overlay.opaque".to_vec().into());
        assert_eq!(fate(nested, &overlay(Namespace::User)), escaped);
    }

    #[test]
    fn ordinary_attributes_are_set_and_host_bound_ones_are_not() {
        for kept in [&b"user.mime_type"[..], b"security.capability", b"system.posix_acl_access"] {
            assert_eq!(fate(kept, &Form::Plain), Fate::Set(kept.into()));
        }
        assert_eq!(fate(b"security.selinux", &Form::Plain), Fate::Dropped(Reason::HostBound));
        let forged = b"user.containers.override_stat";
        assert_eq!(fate(forged, &Form::Plain), Fate::Dropped(Reason::Overlay));
    }
}
