//! What GNU tar sees in an archive.

use std::process::Command;

use crate::judge::{Refusal, SECOND, Seen, filter, parse_time, without_slash};

/// GNU tar's listing: everything but content, and of attributes the length in place
/// of the value.
pub(crate) fn list(archive: &[u8]) -> Result<Vec<Seen>, Refusal> {
    let mut command = Command::new("tar");
    command.args(["--xattrs", "--xattrs-include=*", "--full-time", "--numeric-owner"]);
    let listing = filter(command.args(["--quoting-style=c", "-Ptvvf", "-"]), archive)?;
    let lines = listing.strip_suffix(b"\n").map(|text| text.split(|&byte| byte == b'\n'));
    let mut members: Vec<Seen> = Vec::new();
    for line in lines.into_iter().flatten() {
        if let Some(xattr) = line.strip_prefix(b"  x: ") {
            let blank = xattr.iter().position(|&byte| byte == b' ').unwrap();
            let (len, name) = (xattr[..blank].to_vec(), xattr[blank + 1..].to_vec());
            members.last_mut().unwrap().xattrs.push((name, len));
        } else if line.contains(&b'"') {
            members.push(line_of(line));
        } else {
            // Names of attributes are the one thing that it does not quote.
            let (name, _) = members.last_mut().unwrap().xattrs.last_mut().unwrap();
            name.extend([b"\n", line].concat());
        }
    }
    members.iter_mut().for_each(|member| member.xattrs.sort());
    Ok(members)
}

/// Members as that listing shows them: without content, with the length of an
/// attribute in place of its value.
pub(crate) fn as_listed(members: &[Seen]) -> Vec<Seen> {
    let listed = |member: &Seen| {
        let length = |value: &Vec<u8>| value.len().to_string().into_bytes();
        let xattrs = member.xattrs.iter().map(|(name, value)| (name.clone(), length(value)));
        Seen {
            mtime: member.mtime.map(listed_time),
            content: None,
            xattrs: xattrs.collect(),
            ..member.clone()
        }
    };
    members.iter().map(listed).collect()
}

/// The content of all files in an archive, one after the other, by GNU tar.
pub(crate) fn content(archive: &[u8]) -> Result<Vec<u8>, Refusal> {
    filter(Command::new("tar").args(["-PxOf", "-"]), archive)
}

/// `-rw-r--r-- 0/0  5 2026-11-21 07:32:27.5 "name" -> "target"`
fn line_of(line: &[u8]) -> Seen {
    let text = std::str::from_utf8(line).unwrap();
    let (fields, names) = text.split_at(text.find('"').unwrap());
    let fields: Vec<_> = fields.split_whitespace().collect();
    let [permissions, owner, size, ref instant @ ..] = fields[..] else { panic!("{text}") };
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
    Seen {
        path: without_slash(&names.pop().unwrap()),
        kind,
        target,
        device: device
            .map_or((0, 0), |(major, minor)| (major.parse().unwrap(), minor.parse().unwrap())),
        mode: mode(permissions.as_bytes()),
        uid: uid.parse().unwrap(),
        gid: gid.parse().unwrap(),
        mtime: time_of(instant),
        len: if kind == "file" { size.parse().unwrap() } else { 0 },
        content: None,
        xattrs: Vec::new(),
    }
}

/// A date and a time, or seconds where no calendar has a date for them.
fn time_of(instant: &[&str]) -> Option<i128> {
    let [date, time] = instant else { return parse_time(instant.first()?).map(listed_time) };
    let number = |text: &str| text.parse::<i128>().ok();
    // Years have a sign, and as many digits as they need.
    let mut date = date.rsplitn(3, '-');
    let (day, month) = (number(date.next()?)?, number(date.next()?)?);
    let year = number(date.next()?)? - i128::from(month < 3);
    // Days since 1 March of the year 0, months counted from March.
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = 365 * year + leap_days + (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let (hours, rest) = time.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let midnight = (days - 719_468) * 86_400;
    Some((midnight + number(hours)? * 3600 + number(minutes)? * 60) * SECOND + parse_time(seconds)?)
}

/// Its listing (not so what it extracts) has the fraction of a time before 1970 on the
/// wrong side of the second: half a second before -5 is shown as half a second after.
fn listed_time(time: i128) -> i128 {
    let fraction = time % SECOND;
    if fraction < 0 { time - 2 * fraction } else { time }
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
