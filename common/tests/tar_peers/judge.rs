//! What other implementations see in an archive.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::digest::Digest;
use common::tar::{Entry, Kind, Limits, Reader};

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
    pub(crate) mtime: String,
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
    let mut reader = Reader::new(archive, Limits::default());
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
            mtime: plain_time(entry.mtime.seconds, entry.mtime.nanoseconds),
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

fn plain_time(seconds: i64, nanoseconds: u32) -> String {
    // In nanoseconds, as one number: no peer's rounding of negative times differs.
    (i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)).to_string()
}

/// Decimal seconds as in a PAX record, in the form of [`plain_time`].
pub(crate) fn parse_time(text: &str) -> Option<String> {
    let negative = text.starts_with('-');
    let (whole, fraction) =
        text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let magnitude = whole.parse::<i128>().ok()? * 1_000_000_000 + digits.parse::<i128>().ok()?;
    Some(if negative { -magnitude } else { magnitude }.to_string())
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
        mtime: parse_time(text("mtime")).unwrap_or_else(|| text("mtime").to_owned()),
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

/// GNU tar's listing: everything but content and attributes.
pub(crate) fn gnu_tar(archive: &[u8]) -> Result<Vec<Seen>, Refusal> {
    let mut command = Command::new("tar");
    command.args(["--utc", "--full-time", "--numeric-owner", "--quoting-style=c", "-Ptvf", "-"]);
    let listing = filter(&mut command, archive)?;
    Ok(listing.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(gnu_line).collect())
}

/// The content of all files in an archive, one after the other, by GNU tar.
pub(crate) fn gnu_content(archive: &[u8]) -> Result<Vec<u8>, Refusal> {
    filter(Command::new("tar").args(["-xOf", "-"]), archive)
}

/// `-rw-r--r-- 0/0  5 2026-11-21 07:32:27.5 "name" -> "target"`
fn gnu_line(line: &[u8]) -> Seen {
    let text = std::str::from_utf8(line).unwrap();
    let (fields, names) = text.split_at(text.find('"').unwrap());
    let fields: Vec<_> = fields.split_whitespace().collect();
    let [permissions, owner, size, date, time] = fields[..] else { panic!("{text}") };
    let (uid, gid) = owner.split_once('/').unwrap();
    let device = size.split_once(',');
    let mut names = quoted(names);
    let target = if names.len() > 1 { names.pop().unwrap() } else { Vec::new() };
    let kind = match permissions.as_bytes()[0] {
        b'-' | b'C' => "file",
        b'd' => "directory",
        b'l' => "symlink",
        b'h' => "hardlink",
        b'c' => "char",
        b'b' => "block",
        b'p' => "fifo",
        _ => "other",
    };
    let instant: Option<common::time::Timestamp> =
        common::time::Timestamp::parse_rfc3339(&format!("{date}T{time}Z")).ok();
    Seen {
        path: without_slash(&names.pop().unwrap()),
        kind,
        target,
        device: device
            .map_or((0, 0), |(major, minor)| (major.parse().unwrap(), minor.parse().unwrap())),
        mode: mode(permissions.as_bytes()),
        uid: uid.parse().unwrap(),
        gid: gid.parse().unwrap(),
        // Its listing of a fraction of a second before 1970 is off (not so what it
        // extracts), and it has no dates after 9999.
        mtime: match instant {
            Some(time) if time.seconds >= 0 || time.nanoseconds == 0 => {
                plain_time(time.seconds, time.nanoseconds)
            }
            _ => String::new(),
        },
        len: if kind == "file" { size.parse().unwrap() } else { 0 },
        content: None,
        xattrs: Vec::new(),
    }
}

fn mode(permissions: &[u8]) -> u32 {
    let mut mode = 0;
    for (index, &letter) in permissions[1..10].iter().enumerate() {
        let bit = 0o400 >> index;
        let special = [0o4000, 0o2000, 0o1000][index / 3];
        mode |= match letter {
            b'-' => 0,
            b'S' | b'T' => special,
            b's' | b't' => special | bit,
            _ => bit,
        };
    }
    mode
}

/// The strings of C that a line holds.
fn quoted(text: &str) -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    let mut rest = text.bytes();
    while rest.by_ref().any(|byte| byte == b'"') {
        let mut string = Vec::new();
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => break,
                b'\\' => string.push(match rest.next().unwrap() {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => 9,
                    b'n' => 10,
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => 13,
                    digit @ b'0'..=b'7' => {
                        let octal = |digit: u8| u32::from(digit - b'0');
                        let more = [rest.next().unwrap(), rest.next().unwrap()];
                        let value = octal(digit) * 64 + octal(more[0]) * 8 + octal(more[1]);
                        u8::try_from(value).unwrap()
                    }
                    other => other,
                }),
                other => string.push(other),
            }
        }
        strings.push(string);
    }
    strings
}

/// The archive that bsdtar makes of an archive: what it saw, in its own words.
pub(crate) fn bsdtar(archive: &[u8]) -> Result<Vec<u8>, Refusal> {
    filter(Command::new("bsdtar").args(["-cf", "-", "--format=pax", "@-"]), archive)
}
