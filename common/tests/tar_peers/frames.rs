//! The headers of an archive, where our reader finds them: what no entry tells, and
//! on what the peers are known to differ.

use std::ops::Range;

use common::tar::{Entry, Limits, Reader, Whole};

const BLOCK: usize = 512;

/// The headers of an archive that our reader accepts.
pub(crate) struct Frames {
    members: Vec<Member>,
    /// Global headers with more than a comment, and their bodies.
    globals: Vec<Range<usize>>,
}

/// A member's own header.
struct Member {
    typeflag: u8,
    /// Whether it, or a record before it, says that content follows.
    sized: bool,
    /// Whether it has a link target itself, whatever extends it.
    has_target: bool,
    /// Whether its content is stored with a map of its holes.
    sparse: bool,
}

impl Frames {
    pub(crate) fn of(archive: &[u8]) -> Self {
        let mut frames = Self { members: Vec::new(), globals: Vec::new() };
        let mut reader = Reader::new(archive, Limits::default(), Whole::ByMarker);
        while reader.next_entry().unwrap().is_some() {
            frames.member(archive, reader.position());
            frames.members.last_mut().unwrap().sparse = reader.content().is_sparse();
        }
        // There may be global headers that nothing comes after.
        frames.member(archive, reader.position());
        frames
    }

    /// Takes in the headers of the member that starts at `start`.
    fn member(&mut self, archive: &[u8], start: u64) {
        let mut start = usize::try_from(start).unwrap();
        let mut sized = false;
        while let Some(block) = archive.get(start..start + BLOCK) {
            if block == [0; BLOCK] {
                return;
            }
            let header = tar::Header::from_byte_slice(block);
            let (old, size) = (header.as_old(), header.entry_size().unwrap());
            let typeflag = old.linkflag[0];
            if !b"xXgLK".contains(&typeflag) {
                sized |= size != 0;
                let has_target = old.linkname[0] != 0;
                self.members.push(Member { typeflag, sized, has_target, sparse: false });
                return;
            }
            let len = usize::try_from(size).unwrap();
            let body = &archive[start + BLOCK..][..len];
            let end = start + BLOCK + len.next_multiple_of(BLOCK);
            match typeflag {
                b'x' | b'X' => sized |= body.windows(6).any(|bytes| bytes == b" size="),
                b'g' if !is_comment(body) => self.globals.push(start..end),
                _ => {}
            }
            start = end;
        }
    }

    /// The archive without its global headers, unless they are comments. We ignore
    /// them all, as docker does and no peer here.
    pub(crate) fn without_globals(&self, archive: &[u8]) -> Vec<u8> {
        let mut rest = archive.to_vec();
        for global in self.globals.iter().rev() {
            rest.drain(global.clone());
        }
        rest
    }

    /// How many members there are before GNU tar skips blocks where there are none:
    /// it alone believes a size that is not a file's or directory's. POSIX ("ustar
    /// Interchange Format", typeflag and size): a symbolic link has size 0, no blocks
    /// follow a device, and the size of a pipe is ignored.
    pub(crate) fn framed_by_gnu_tar(&self) -> usize {
        let mut members = self.members.iter();
        let skips = |member: &Member| member.sized && b"2346".contains(&member.typeflag);
        members.position(skips).unwrap_or(self.members.len())
    }

    /// Whether `theirs` is what GNU tar extracts of these members, one after the other.
    /// It ends a sparse file where the map ends, which may be before the length that
    /// the archive gives and that it lists; all others go on with a hole.
    pub(crate) fn is_content(&self, mut theirs: &[u8], members: &[(Entry, Vec<u8>)]) -> bool {
        for (frame, (_, content)) in self.members.iter().zip(members) {
            let data = content.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let certain = if frame.sparse { data } else { content.len() };
            let Some(rest) = theirs.strip_prefix(&content[..certain]) else { return false };
            let hole = &content[certain..];
            let shown = rest.iter().zip(hole).take_while(|(byte, _)| **byte == 0).count();
            theirs = &rest[shown..];
        }
        theirs.is_empty()
    }

    /// Whether libarchive sees all links. Of one whose own header has no target it
    /// loses the target that a `linkpath` record or a `K` header gives, though POSIX
    /// has the record override the field. And in a pax archive it alone takes the
    /// header after a hard link with a size for content: tar(5), "hard link".
    pub(crate) fn libarchive_sees_links(&self) -> bool {
        self.members.iter().all(|member| match member.typeflag {
            b'1' => member.has_target && !member.sized,
            b'2' => member.has_target,
            _ => true,
        })
    }
}

/// Whether a body is one record, a comment.
fn is_comment(body: &[u8]) -> bool {
    body.starts_with(format!("{} comment=", body.len()).as_bytes())
}
