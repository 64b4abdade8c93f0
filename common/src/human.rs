//! Sizes, ages and columns in docker's words (github.com/docker/go-units, docker/cli's
//! formatter, Go's text/tabwriter), so that a table reads as people know it; how many
//! there are of something; and sizes read back from options.

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthChar as _;

use crate::time::Timestamp;

/// The least width of a column, and what is between two: docker's settings.
const MIN_COLUMN_WIDTH: usize = 10;
const COLUMN_PADDING: usize = 3;

/// A size with three digits and a decimal unit: `1.98MB`.
#[must_use]
pub fn size(len_bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    // A size is far from where these lose what three digits show.
    #[allow(clippy::cast_precision_loss)]
    let mut value = len_bytes as f64;
    let mut units = UNITS.iter().peekable();
    let mut unit = "B";
    while let Some(next) = units.next() {
        unit = next;
        // 999.5 would show as 1000.
        if value < 999.5 || units.peek().is_none() {
            break;
        }
        value /= 1000.0;
    }
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    let digits = format!("{value:.decimals$}");
    let digits = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => &digits,
    };
    format!("{digits}{unit}")
}

/// A size with its sign.
#[must_use]
pub fn signed(growth: i128) -> String {
    let len_bytes = u64::try_from(growth.unsigned_abs()).unwrap_or(u64::MAX);
    let sign = match growth.signum() {
        0 => "",
        1 => "+",
        _ => "-",
    };
    format!("{sign}{}", size(len_bytes))
}

/// A number of bytes, with K, M, G or T for powers of 1024, as options have it.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (number, shift) = split_unit(text)?;
    parse_digits(number)?.checked_mul(1 << shift)
}

/// A number of bytes as docker has it: as [`parse_size`], also with a decimal point, a space
/// before the unit, and `B` or `iB` after it.
#[must_use]
pub fn parse_docker_size(text: &str) -> Option<u64> {
    let text = text.strip_suffix(['b', 'B']).unwrap_or(text);
    let (number, shift) = split_unit(text.strip_suffix(['i', 'I']).unwrap_or(text))?;
    let number = number.trim_end_matches(' ');
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    // No more digits than a division by their power of ten has room for.
    let part = part.get(..part.len().min(9))?;
    let (whole, numerator) = (parse_digits(whole)?, parse_digits(part)?);
    let denominator = 10_u64.pow(u32::try_from(part.len()).ok()?);
    let part_bytes = (u128::from(numerator) << shift) / u128::from(denominator);
    whole.checked_mul(1 << shift)?.checked_add(u64::try_from(part_bytes).ok()?)
}

/// The number before a unit, and the unit's power of two.
fn split_unit(text: &str) -> Option<(&str, u32)> {
    let shift = match text.as_bytes().last()? {
        b'K' | b'k' => 10,
        b'M' | b'm' => 20,
        b'G' | b'g' => 30,
        b'T' | b't' => 40,
        _ => return Some((text, 0)),
    };
    Some((text.get(..text.len() - 1)?, shift))
}

/// A number without a sign.
fn parse_digits(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// A number of things: `1 entry`, `2 entries`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{number} {noun}")
}

/// How long ago `then` was: `3 weeks ago`. A time in the future is no time ago.
#[must_use]
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.seconds.saturating_sub(then.seconds).max(0);
    let (minutes, hours, rounded_hours) = (seconds / 60, seconds / 3600, (seconds + 1800) / 3600);
    let duration = match () {
        () if seconds < 1 => "Less than a second".into(),
        () if seconds == 1 => "1 second".into(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".into(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if rounded_hours == 1 => "About an hour".into(),
        () if rounded_hours < 48 => format!("{rounded_hours} hours"),
        () if rounded_hours < 24 * 7 * 2 => format!("{} days", rounded_hours / 24),
        () if rounded_hours < 24 * 30 * 2 => format!("{} weeks", rounded_hours / 24 / 7),
        () if rounded_hours < 24 * 365 * 2 => format!("{} months", rounded_hours / 24 / 30),
        () => format!("{} years", hours / 24 / 365),
    };
    format!("{duration} ago")
}

/// Times up to 2000-01-01 are placeholders of reproducible builds, not times.
const FIRST_REAL_TIME: i64 = 946_684_800;

/// The [`age`] of what may have no time, or a placeholder for one: `N/A`, as docker
/// has it.
#[must_use]
pub fn since(then: Option<Timestamp>, now: Timestamp) -> String {
    match then {
        Some(then) if then.seconds > FIRST_REAL_TIME => age(then, now),
        _ => "N/A".into(),
    }
}

/// RFC 3339 in the local time zone, whole seconds, or `N/A`.
#[must_use]
pub fn local_time(time: Option<Timestamp>) -> String {
    let time = time.and_then(|time| jiff::Timestamp::from_second(time.seconds).ok());
    let Some(time) = time else { return "N/A".into() };
    let offset = TimeZone::system().to_offset(time);
    match offset.is_zero() {
        true => time.to_string(),
        false => time.display_with_offset(offset).to_string(),
    }
}

/// Columns that a character takes: docker counts two for the wide ones of East Asia
/// and one for every other.
fn char_width(character: char) -> usize {
    if character.width() == Some(2) { 2 } else { 1 }
}

/// Returns the columns that `text` takes up: a character without a width counts as one.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// Cuts `text` so that it takes at most `width` columns, `…` standing for the rest.
#[must_use]
pub fn ellipsis(text: &str, width: usize) -> String {
    if self::width(text) <= width {
        return text.to_owned();
    }
    let mut taken = 0;
    let mut cut: String = text
        .chars()
        .take_while(|&character| {
            taken += char_width(character);
            taken < width
        })
        .collect();
    cut.push('…');
    cut
}

/// Lines whose cells end in tabs, aligned as Go's tabwriter does it: a column is as
/// wide as its widest cell in consecutive lines, and the last cell of a line belongs
/// to none.
#[must_use]
pub fn columns(lines: &[String]) -> String {
    let cells: Vec<Vec<&str>> = lines.iter().map(|line| line.split('\t').collect()).collect();
    let mut text = String::new();
    let mut widths: Vec<usize> = Vec::new();
    for (at, line) in cells.iter().enumerate() {
        let later = cells.get(at..).unwrap_or_default();
        let before = if at == 0 { 0 } else { cells.get(at - 1).map_or(0, |line| line.len() - 1) };
        widths.truncate(before.min(line.len() - 1));
        for column in widths.len()..line.len() - 1 {
            let block = later.iter().take_while(|line| line.len() > column + 1);
            let widest = block.filter_map(|line| line.get(column)).map(|cell| self::width(cell));
            widths.push((widest.max().unwrap_or(0) + COLUMN_PADDING).max(MIN_COLUMN_WIDTH));
        }
        for (column, cell) in line.iter().enumerate() {
            text.push_str(cell);
            if let Some(width) = widths.get(column).filter(|_| column + 1 < line.len()) {
                let padding = width.saturating_sub(self::width(cell));
                text.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{age, columns, ellipsis, parse_docker_size, parse_size, size};
    use crate::time::Timestamp;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, shown) in [
            (0, "0B"),
            (4, "4B"),
            (999, "999B"),
            (1000, "1kB"),
            (1200, "1.2kB"),
            (9_996, "10kB"),
            (12_340, "12.3kB"),
            (99_960, "100kB"),
            (999_600, "1MB"),
            (1_234_005, "1.23MB"),
            (1_982_256, "1.98MB"),
            (157_000_000, "157MB"),
            (u64::MAX, "18.4EB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn sizes_are_read_with_binary_suffixes() {
        assert_eq!(parse_size("512"), Some(512));
        assert_eq!(parse_size("4k"), Some(4096));
        assert_eq!(parse_size("2G"), Some(2 << 30));
        for bad in ["", "K", "-1", "+1", "1.5M", "99999999999T", "1é"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn dockers_sizes_may_have_a_point_and_a_longer_unit() {
        for (text, len_bytes) in [
            ("4096", 4096),
            ("512b", 512),
            ("1kb", 1024),
            ("64m", 64 << 20),
            ("64MiB", 64 << 20),
            ("1.5g", 3 << 29),
            ("0.1k", 102),
            ("2 GB", 2 << 30),
            ("1.99999999999999k", 2047),
        ] {
            assert_eq!(parse_docker_size(text), Some(len_bytes), "{text}");
        }
        for bad in ["", "b", "k", "-1", "+1", "1.", ".5k", "1.x", "99999999999g", "1é", "1.+5"] {
            assert_eq!(parse_docker_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn ages_are_worded_as_docker_words_them() {
        for (seconds, shown) in [
            (-5, "Less than a second ago"),
            (0, "Less than a second ago"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "About a minute ago"),
            (120, "2 minutes ago"),
            (3599, "59 minutes ago"),
            (3600, "About an hour ago"),
            (5400, "2 hours ago"),
            (47 * 3600, "47 hours ago"),
            (48 * 3600, "2 days ago"),
            (14 * 86400, "2 weeks ago"),
            (60 * 86400, "2 months ago"),
            (729 * 86400, "24 months ago"),
            (730 * 86400, "2 years ago"),
        ] {
            assert_eq!(age(Timestamp::EPOCH, Timestamp::from_seconds(seconds)), shown);
        }
    }

    #[test]
    fn long_text_is_cut_by_columns() {
        assert_eq!(ellipsis("short", 5), "short");
        assert_eq!(ellipsis("longer", 5), "long…");
        assert_eq!(ellipsis("漢字漢字", 5), "漢字…");
        assert_eq!(ellipsis("漢字漢字", 6), "漢字…");
        assert_eq!(ellipsis("漢字漢字", 8), "漢字漢字");
    }

    #[test]
    fn columns_are_those_of_tabwriter() {
        let lines =
            ["IMAGE\tSIZE\tCOMMENT", "1\t\t", "123456789\t4B\ta\tb", "2\t1\tlonger than 漢\tc"];
        let text = columns(&lines.map(str::to_owned));
        let expected = "IMAGE       SIZE      COMMENT\n\
                        1                     \n\
                        123456789   4B        a                b\n\
                        2           1         longer than 漢   c\n";
        assert_eq!(text, expected);
    }
}
