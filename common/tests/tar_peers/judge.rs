//! What other implementations see in an archive.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::digest::Digest;
use common::tar::{Entry, Kind, Limits, Reader, Whole};

pub(crate) const SECOND: i128 = 1_000_000_000;

/// A member as all can tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: &'static str,
    pub(crate) target: Vec<u8>,
    pub(crate) device: (u32, u32),
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Nanoseconds: as one number, no peer's rounding of negative times differs.
    pub(crate) mtime: Option<i128>,
    pub(crate) len: u64,
    pub(crate) content: Option<Digest>,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Why an archive was not read to its end.
pub(crate) type Refusal = String;

/// Says that a peer is missing, where nobody can overlook it.
pub(crate) fn skip(peer: &str) {
    // The test runner captures eprintln!.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {peer} is not installed");
}

/// Whether a program can be started.
pub(crate) fn installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        skip(program);
    }
    found
}

/// Runs a program on `input` and gives its standard output.
pub(crate) fn filter(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Refusal> {
    let command = command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC0");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // A peer that has seen enough closes the pipe.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// What our reader sees.
pub(crate) fn ours(archive: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Refusal> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let mut reader = Reader::new(archive, Limits::default(), Whole::ByMarker);
    let mut members = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(|error| text(&error))? {
        let mut content = Vec::new();
        // A mutated sparse file may be all hole and larger than memory.
        if entry.len_bytes > 64 << 20 {
            return Err("too large for this test".into());
        }
        reader.content().read_to_end(&mut content).map_err(|error| text(&error))?;
        members.push((entry, content));
    }
    Ok(members)
}

/// Our members in the form that is compared.
pub(crate) fn seen(members: &[(Entry, Vec<u8>)]) -> Vec<Seen> {
    members.iter().map(|(entry, content)| Seen::of(entry, content)).collect()
}

impl Seen {
    fn of(entry: &Entry, content: &[u8]) -> Self {
        let none = Vec::new;
        let (kind, target, device) = match &entry.kind {
            Kind::File => ("file", none(), (0, 0)),
            Kind::Directory => ("directory", none(), (0, 0)),
            Kind::Symlink { target } => ("symlink", target.clone(), (0, 0)),
            Kind::HardLink { target } => ("hardlink", target.clone(), (0, 0)),
            Kind::CharDevice { major, minor } => ("char", none(), (*major, *minor)),
            Kind::BlockDevice { major, minor } => ("block", none(), (*major, *minor)),
            Kind::Fifo => ("fifo", none(), (0, 0)),
        };
        let is_file = kind == "file";
        Self {
            path: without_slash(&entry.path),
            kind,
            target,
            device,
            mode: entry.mode,
            uid: entry.uid.into(),
            gid: entry.gid.into(),
            mtime: Some(nanoseconds(entry.mtime.seconds, entry.mtime.nanoseconds)),
            len: if is_file { entry.len_bytes } else { 0 },
            content: Some(Digest::of(if is_file { content } else { b"" })),
            xattrs: entry.xattrs.clone().into_iter().collect(),
        }
    }
}

/// Names without the slashes that mean nothing: not all peers show them.
pub(crate) fn without_slash(path: &[u8]) -> Vec<u8> {
    let mut plain = path.to_vec();
    plain.dedup_by(|after, before| (*after, *before) == (b'/', b'/'));
    if plain.ends_with(b"/") {
        plain.pop();
    }
    plain
}

fn nanoseconds(seconds: impl Into<i128>, fraction: impl Into<i128>) -> i128 {
    seconds.into() * SECOND + fraction.into()
}

/// Decimal seconds as in a PAX record, in nanoseconds.
pub(crate) fn parse_time(text: &str) -> Option<i128> {
    let magnitude = text.trim_start_matches('-');
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let time = nanoseconds(whole.parse::<i128>().ok()?, digits.parse::<i128>().ok()?);
    Some(if magnitude == text { time } else { -time })
}

/// Python's tarfile, one process for many archives.
pub(crate) struct Python {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Python {
    /// Starts it, where there is one.
    pub(crate) fn start() -> Option<Self> {
        if !installed("python3") {
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tar_peers/judge.py");
        let mut child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, stdin, stdout })
    }

    /// What tarfile sees.
    pub(crate) fn judge(&mut self, archive: &[u8]) -> Result<Vec<Seen>, Refusal> {
        self.stdin.write_all(&(archive.len() as u64).to_be_bytes()).unwrap();
        self.stdin.write_all(archive).unwrap();
        self.stdin.flush().unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&line).unwrap();
        match answer.as_array() {
            Some(members) => Ok(members.iter().map(from_json).collect()),
            None => Err(answer["error"].as_str().unwrap().to_owned()),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn from_json(member: &serde_json::Value) -> Seen {
    let bytes = |value: &str| -> Vec<u8> {
        let hex = value.as_bytes().chunks(2);
        hex.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let text = |key: &str| member[key].as_str().unwrap();
    let number = |value: &serde_json::Value| value.as_i64().unwrap_or(-1);
    let kinds = ["file", "directory", "symlink", "hardlink", "char", "block", "fifo"];
    let device = |index: usize| u32::try_from(number(&member["device"][index])).unwrap_or(u32::MAX);
    let xattrs = member["xattrs"].as_object().unwrap();
    Seen {
        path: without_slash(&bytes(text("path"))),
        kind: kinds.into_iter().find(|kind| *kind == text("kind")).unwrap_or("other"),
        target: bytes(text("target")),
        device: (device(0), device(1)),
        mode: u32::try_from(number(&member["mode"])).unwrap(),
        uid: number(&member["uid"]).unsigned_abs(),
        gid: number(&member["gid"]).unsigned_abs(),
        mtime: parse_time(text("mtime")),
        len: number(&member["len"]).unsigned_abs(),
        content: Some(format!("sha256:{}", text("sha256")).parse().unwrap()),
        xattrs: {
            let pairs = xattrs.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap()));
            let mut pairs: Vec<_> = pairs.map(|(key, value)| (bytes(key), bytes(value))).collect();
            pairs.sort();
            pairs
        },
    }
}

/// The archive that bsdtar makes of an archive: what it saw, in its own words.
///
/// One fault is mended: of a file that is all hole it copies no map, though it counts
/// the block for it, so that no reader can read on. A map of no segments is a `0`.
pub(crate) fn bsdtar(archive: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut copy =
        filter(Command::new("bsdtar").args(["-cf", "-", "--format=pax", "@-"]), archive)?;
    let (mut start, mut map_follows) = (0, false);
    while copy[start..start + 512] != [0; 512] {
        let (header, next) = copy[start..].split_at(512);
        let size = tar::Header::from_byte_slice(header).entry_size().unwrap();
        let size = usize::try_from(size).unwrap();
        let is_map = !next[257..].starts_with(b"ustar") && !next.starts_with(&[0; 512]);
        let version: &[u8] = b" GNU.sparse.major=1\n";
        let is_sparse = header[156] == b'x' && next[..size].windows(20).any(|part| part == version);
        start += 512;
        if map_follows && !is_map {
            copy.splice(start..start, b"0\n".iter().copied().chain([0; 510]));
        }
        map_follows = is_sparse;
        start += size.next_multiple_of(512);
    }
    Ok(copy)
}
