//! Archives made byte by byte, so that they can be wrong in any way.

/// An archive being made.
#[derive(Debug, Default, Clone)]
pub(crate) struct Archive(Vec<u8>);

/// A member, as its header says it.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) path: Vec<u8>,
    pub(crate) typeflag: u8,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    pub(crate) link: Vec<u8>,
    pub(crate) content: Vec<u8>,
    pub(crate) device: (u32, u32),
    /// PAX records before the member.
    pub(crate) pax: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The time of members that say nothing else.
pub(crate) const MTIME: i64 = 981_173_106;

/// A member of a type, with the owner that we are.
pub(crate) fn member(path: impl AsRef<[u8]>, typeflag: u8) -> Member {
    Member {
        path: path.as_ref().into(),
        typeflag,
        mode: if typeflag == b'5' { 0o755 } else { 0o644 },
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        mtime: MTIME,
        link: Vec::new(),
        content: Vec::new(),
        device: (0, 0),
        pax: Vec::new(),
    }
}

impl Member {
    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub(crate) fn owner(mut self, uid: u32, gid: u32) -> Self {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    pub(crate) fn mtime(mut self, mtime: i64) -> Self {
        self.mtime = mtime;
        self
    }

    pub(crate) fn link(mut self, target: impl AsRef<[u8]>) -> Self {
        self.link = target.as_ref().into();
        self
    }

    pub(crate) fn content(mut self, content: impl AsRef<[u8]>) -> Self {
        self.content = content.as_ref().into();
        self
    }

    pub(crate) fn device(mut self, major: u32, minor: u32) -> Self {
        self.device = (major, minor);
        self
    }

    pub(crate) fn pax(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.pax.push((key.into(), value.as_ref().into()));
        self
    }

    pub(crate) fn xattr(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.pax(&format!("SCHILY.xattr.{name}"), value)
    }
}

impl Archive {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(mut self, member: Member) -> Self {
        let mut member = member;
        if member.path.len() > 100 {
            member.pax.push((b"path".to_vec(), member.path.clone()));
            member.path.truncate(100);
        }
        if member.link.len() > 100 {
            member.pax.push((b"linkpath".to_vec(), member.link.clone()));
            member.link.truncate(100);
        }
        if !member.pax.is_empty() {
            let mut body = Vec::new();
            for (key, value) in &member.pax {
                body.extend(record(key, value));
            }
            let header = self::member("PaxHeaders/x", b'x');
            self.push(&header, &body);
        }
        let content = std::mem::take(&mut member.content);
        self.push(&member, &content);
        self
    }

    pub(crate) fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.with(member(path, b'0').content(content))
    }

    pub(crate) fn dir(self, path: impl AsRef<[u8]>) -> Self {
        self.with(member(path, b'5'))
    }

    pub(crate) fn symlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.with(member(path, b'2').link(target))
    }

    pub(crate) fn hardlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.with(member(path, b'1').link(target))
    }

    /// A member of whose owner the header has names, too.
    pub(crate) fn named(self, member: Member, user: &str, group: &str) -> Self {
        let start = self.0.len();
        let mut archive = self.with(member);
        let header = &mut archive.0[start..start + 512];
        header[265..265 + user.len()].copy_from_slice(user.as_bytes());
        header[297..297 + group.len()].copy_from_slice(group.as_bytes());
        seal(header);
        archive
    }

    /// An empty file: what whiteouts are.
    pub(crate) fn whiteout(self, path: impl AsRef<[u8]>) -> Self {
        self.file(path, "")
    }

    fn push(&mut self, member: &Member, content: &[u8]) {
        let mut header = [0_u8; 512];
        header[..member.path.len()].copy_from_slice(&member.path);
        octal(&mut header[100..108], member.mode.into());
        number(&mut header[108..116], member.uid.into());
        number(&mut header[116..124], member.gid.into());
        octal(&mut header[124..136], content.len() as u64);
        octal(&mut header[136..148], member.mtime.try_into().unwrap());
        header[156] = member.typeflag;
        header[157..157 + member.link.len()].copy_from_slice(&member.link);
        header[257..265].copy_from_slice(b"ustar\x0000");
        number(&mut header[329..337], member.device.0.into());
        number(&mut header[337..345], member.device.1.into());
        seal(&mut header);
        self.0.extend(header);
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    /// The whole archive.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.0.clone();
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }
}

/// Writes a header's checksum.
fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// `LEN KEY=VALUE\n`, of which LEN counts all.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key, b"=", value, b"\n"].concat();
    let mut len = rest.len() + 1;
    while len.to_string().len() + rest.len() != len {
        len = len.to_string().len() + rest.len();
    }
    [len.to_string().as_bytes(), &rest].concat()
}

fn octal(field: &mut [u8], value: u64) {
    let text = format!("{value:0width$o}\0", width = field.len() - 1);
    field.copy_from_slice(text.as_bytes());
}

/// Octal, or base-256 where that is too short.
fn number(field: &mut [u8], value: u64) {
    if value < 8_u64.pow(u32::try_from(field.len()).unwrap() - 1) {
        return octal(field, value);
    }
    let len = field.len();
    field.fill(0);
    field[len - 8..].copy_from_slice(&value.to_be_bytes());
    field[0] |= 0x80;
}
