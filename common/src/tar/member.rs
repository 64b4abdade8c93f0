//! A member put together: its header, and the extensions that came before it.
//!
//! What two readers would take differently is refused here.

use super::header::{Dialect, Header};
use super::pax::Extended;
use super::{Entry, Kind, Limits, Problem};
use crate::time::Timestamp;

/// The extended headers in front of one member.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// Blocks and bodies so far, against [`Limits::metadata_bytes`].
    pub(super) len_bytes: u64,
    pub(super) pax: Option<Extended>,
    pub(super) long_name: Option<Vec<u8>>,
    pub(super) long_target: Option<Vec<u8>>,
}

impl Extensions {
    /// Whether there is something that a member must follow.
    pub(super) fn any(&self) -> bool {
        self.pax.is_some() || self.long_name.is_some() || self.long_target.is_some()
    }

    pub(super) fn set_pax(&mut self, extended: Extended) -> Result<(), Problem> {
        match &self.pax {
            // Whether the last one counts or both do, it is the same.
            Some(other) if *other == extended => Ok(()),
            Some(_) => Err(Problem::Ambiguous("two extended headers for one member")),
            None => {
                self.pax = Some(extended);
                Ok(())
            }
        }
    }

    pub(super) fn set_long_name(&mut self, body: &[u8]) -> Result<(), Problem> {
        set_long(&mut self.long_name, body, "name")
    }

    pub(super) fn set_long_target(&mut self, body: &[u8]) -> Result<(), Problem> {
        set_long(&mut self.long_target, body, "link target")
    }
}

/// The body is a C string, as GNU tar writes it.
fn set_long(slot: &mut Option<Vec<u8>>, body: &[u8], what: &'static str) -> Result<(), Problem> {
    let text = super::field::string(body);
    if text.is_empty() {
        return Err(Problem::Empty(what));
    }
    match slot.replace(text.to_vec()) {
        None => Ok(()),
        Some(other) if other == text => Ok(()),
        Some(_) => Err(Problem::Ambiguous("two GNU long names for one member")),
    }
}

/// One of two extensions that say the same thing.
fn agree(
    long: Option<Vec<u8>>,
    record: Option<Vec<u8>>,
    what: &'static str,
) -> Result<Option<Vec<u8>>, Problem> {
    match (long, record) {
        (Some(long), Some(record)) if long != record => Err(Problem::Ambiguous(what)),
        (long, record) => Ok(record.or(long)),
    }
}

/// The name of the member after `extensions`, for messages, whatever else is wrong.
pub(super) fn name(header: &Header, extensions: &Extensions) -> Vec<u8> {
    let records = extensions.pax.as_ref();
    let sparse = records.and_then(|pax| pax.sparse.name.as_ref());
    let path = records.and_then(|pax| pax.path.as_ref());
    match sparse.or(path).or(extensions.long_name.as_ref()) {
        Some(name) => name.clone(),
        None => header.path(),
    }
}

/// What follows a member's header.
#[derive(Debug)]
pub(super) struct Stored {
    /// The records, for what they say of sparse maps.
    pub(super) sparse: super::sparse::Records,
    /// The length that the records or the header give, padding not included.
    pub(super) size: u64,
}

/// The member itself, with a length as if it were not sparse.
pub(super) fn assemble(
    header: &Header,
    extensions: Extensions,
    limits: &Limits,
) -> Result<(Entry, Stored), Problem> {
    let path = name(header, &extensions);
    let pax = extensions.pax.unwrap_or_default();
    agree(extensions.long_name, pax.path, "two names for one member")?;
    let target = agree(extensions.long_target, pax.linkpath, "two targets for one link")?;
    check_text(&path, "name", limits)?;

    let header_size = header.size()?;
    let size = pax.size.unwrap_or(header_size);
    let device = || -> Result<(u32, u32), Problem> {
        let (major, minor) = header.device()?;
        // Linux keeps 12 bits of a major number and 20 of a minor one.
        Ok((
            bounded(pax.dev_major.unwrap_or(major), 0xfff, "device major number")?,
            bounded(pax.dev_minor.unwrap_or(minor), 0xf_ffff, "device minor number")?,
        ))
    };
    let target = || {
        let target = target.unwrap_or_else(|| header.link_target().to_vec());
        check_text(&target, "link target", limits).map(|()| target)
    };
    let kind = match header.typeflag() {
        b'0' | b'7' | 0 => file_or_directory(header, &path, size)?,
        b'S' if header.dialect() == Dialect::Gnu => file_or_directory(header, &path, size)?,
        b'1' => Kind::HardLink { target: target()? },
        b'2' => Kind::Symlink { target: target()? },
        b'3' => device().map(|(major, minor)| Kind::CharDevice { major, minor })?,
        b'4' => device().map(|(major, minor)| Kind::BlockDevice { major, minor })?,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => return Err(Problem::Type(other)),
    };
    let mtime = match pax.mtime {
        Some(mtime) => mtime,
        None => Timestamp::from_seconds(header.mtime()?),
    };
    let entry = Entry {
        path,
        mode: header.mode()?,
        uid: id(pax.uid, || header.uid(), "uid")?,
        gid: id(pax.gid, || header.gid(), "gid")?,
        mtime,
        // Anything else has no content, whatever the field says.
        len_bytes: if matches!(kind, Kind::File | Kind::HardLink { .. }) { size } else { 0 },
        xattrs: pax.xattrs,
        kind,
    };
    Ok((entry, Stored { sparse: pax.sparse, size }))
}

/// Before there was a type for directories, a slash at the end of the name made one.
fn file_or_directory(header: &Header, path: &[u8], size: u64) -> Result<Kind, Problem> {
    let (slash, own_slash) = (path.ends_with(b"/"), header.path().ends_with(b"/"));
    match (slash, header.typeflag(), size) {
        // Python looks at the header's own name, all others at the one that counts.
        (_, 0, _) if slash != own_slash => {
            Err(Problem::Ambiguous("an old file of two names, one of which ends in a slash"))
        }
        (false, _, _) => Ok(Kind::File),
        (true, 0, 0) => Ok(Kind::Directory),
        // GNU tar and libarchive make a directory of it, Go and Python a file.
        (true, _, _) => Err(Problem::Ambiguous("a regular file whose name ends in a slash")),
    }
}

fn check_text(text: &[u8], what: &'static str, limits: &Limits) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::Empty(what));
    }
    if text.len() > limits.path_bytes {
        let what = if what == "name" { "bytes in a name" } else { "bytes in a link target" };
        return Err(Problem::Limit { what, limit: limits.path_bytes as u64 });
    }
    Ok(())
}

fn bounded(value: u64, most: u32, what: &'static str) -> Result<u32, Problem> {
    match u32::try_from(value) {
        Ok(value) if value <= most => Ok(value),
        _ => Err(Problem::OutOfRange(what)),
    }
}

/// All ones is no id: to chown(2) it means "leave as it is".
fn id(
    record: Option<u64>,
    field: impl FnOnce() -> Result<u64, Problem>,
    what: &'static str,
) -> Result<u32, Problem> {
    let value = match record {
        Some(value) => value,
        None => field()?,
    };
    bounded(value, u32::MAX - 1, what)
}
