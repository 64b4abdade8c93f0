//! What was applied, and what of the layer was not kept.

use std::collections::BTreeMap;

use crate::human::count;
use crate::name::show;

/// What was applied.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Members of the archive.
    pub entries: u64,
    /// Whiteouts among them, opaque ones included.
    pub whiteouts: u64,
    /// Bytes of content.
    pub len_bytes: u64,
    /// Whether all lower content is hidden. In overlay form whoever mounts must
    /// drop the lower layers: the root of an overlay cannot be opaque.
    pub opaque_root: bool,
    /// What was not kept.
    pub not_kept: NotKept,
}

/// What a layer says and the result does not hold, counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NotKept {
    /// Entries that belong to us and not to whom the layer says.
    pub owners: u64,
    /// Files that did not get their set-id bits.
    pub set_ids: u64,
    /// Devices that were not made.
    pub devices: u64,
    /// Devices that were not to be made.
    pub unwanted_devices: u64,
    /// Extended attributes: name and reason, with the number of entries.
    pub xattrs: BTreeMap<(Vec<u8>, Reason), u64>,
}

/// Why an extended attribute was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It means something on the host that wrote it only.
    HostBound,
    /// It would speak to an overlay file system, or to a rootless tool.
    Overlay,
    /// The file system, or this kind of file, cannot hold it.
    Unsupported,
    /// We lack the privilege.
    NotPermitted,
    /// It would give others a privilege.
    Grants,
}

impl Reason {
    const fn text(self) -> &'static str {
        match self {
            Self::HostBound => "it belongs to the host it was read on",
            Self::Overlay => "it would speak to an overlay file system",
            Self::Unsupported => "the file system cannot hold it there",
            Self::NotPermitted => "that takes a privilege",
            Self::Grants => "it would give others a privilege",
        }
    }
}

impl NotKept {
    /// Whether everything was kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn xattr(&mut self, name: &[u8], reason: Reason) {
        *self.xattrs.entry((name.to_vec(), reason)).or_default() += 1;
    }

    /// Adds what another layer lost, so that a stack of layers is reported once.
    pub fn add(&mut self, other: &Self) {
        self.owners += other.owners;
        self.set_ids += other.set_ids;
        self.devices += other.devices;
        self.unwanted_devices += other.unwanted_devices;
        for (key, count) in &other.xattrs {
            *self.xattrs.entry(key.clone()).or_default() += count;
        }
    }

    /// One line for each thing that was not kept, for warnings.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let entries = |number| count(number, "entry", "entries");
        let mut lines = Vec::new();
        if self.owners > 0 {
            lines.push(format!("owners of {} not kept", entries(self.owners)));
        }
        if self.set_ids > 0 {
            let files = count(self.set_ids, "file", "files");
            lines.push(format!("set-id bits of {files} dropped: others could act as their owner"));
        }
        if self.devices > 0 {
            let devices = count(self.devices, "device", "devices");
            lines.push(format!("{devices} left out: making a device takes root"));
        }
        if self.unwanted_devices > 0 {
            let devices = count(self.unwanted_devices, "device", "devices");
            lines.push(format!("{devices} left out: others could use it"));
        }
        for ((name, reason), number) in &self.xattrs {
            let (name, reason) = (show(name), reason.text());
            lines.push(format!(
                "extended attribute {name} of {} not kept: {reason}",
                entries(*number)
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::{NotKept, Reason};

    #[test]
    fn each_loss_is_one_line_however_often_it_happened() {
        let mut lost = NotKept { owners: 1, devices: 2, ..NotKept::default() };
        lost.xattr(b"user.a", Reason::Unsupported);
        lost.xattr(b"user.a", Reason::Unsupported);
        lost.add(&lost.clone());
        assert_eq!(
            lost.lines(),
            [
                "owners of 2 entries not kept",
                "4 devices left out: making a device takes root",
                "extended attribute user.a of 4 entries not kept: the file system cannot hold it there",
            ]
        );
        assert!(!lost.is_empty() && NotKept::default().is_empty());
    }
}
