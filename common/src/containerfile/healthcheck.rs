//! HEALTHCHECK, and the durations in it, written as Go writes them.

use super::error::Problem;
use super::flags::Flags;
use super::word;
use crate::oci::Healthcheck;

/// The flags that HEALTHCHECK has.
pub(super) const FLAGS: [&str; 5] =
    ["interval", "timeout", "start-period", "start-interval", "retries"];

/// Docker's lower bound: shorter is a mistake of units.
const MIN_NS: i64 = 1_000_000;

pub(super) fn parse(arguments: &str, flags: &Flags) -> Result<Healthcheck, Problem> {
    let (kind, rest) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    let rest = rest.trim_start();
    match kind.to_ascii_uppercase().as_str() {
        "" => Err(Problem::AtLeastOne("HEALTHCHECK")),
        "NONE" if rest.is_empty() => {
            Ok(Healthcheck { test: vec!["NONE".into()], ..Healthcheck::default() })
        }
        "NONE" => Err(Problem::HealthcheckNone),
        "CMD" => {
            let test = match word::json(rest)? {
                Some(words) if !words.is_empty() => {
                    std::iter::once("CMD".to_owned()).chain(words).collect()
                }
                None if !rest.is_empty() => vec!["CMD-SHELL".into(), rest.to_owned()],
                _ => return Err(Problem::HealthcheckCommand),
            };
            Ok(Healthcheck {
                test,
                interval_ns: interval(flags, "interval")?,
                timeout_ns: interval(flags, "timeout")?,
                start_period_ns: interval(flags, "start-period")?,
                start_interval_ns: interval(flags, "start-interval")?,
                retries: retries(flags)?,
                ..Healthcheck::default()
            })
        }
        _ => Err(Problem::HealthcheckType(kind.to_owned())),
    }
}

fn interval(flags: &Flags, name: &str) -> Result<i64, Problem> {
    let Some(value) = flags.value(name).filter(|value| !value.is_empty()) else { return Ok(0) };
    match parse_duration(&value) {
        Some(ns) if ns == 0 || ns >= MIN_NS => Ok(ns),
        _ => Err(Problem::InvalidValue { flag: format!("--{name}"), value }),
    }
}

fn retries(flags: &Flags) -> Result<i64, Problem> {
    let Some(value) = flags.value("retries").filter(|value| !value.is_empty()) else {
        return Ok(0);
    };
    match value.parse::<i32>() {
        Ok(retries) if retries >= 0 => Ok(retries.into()),
        _ => Err(Problem::InvalidValue { flag: "--retries".into(), value }),
    }
}

/// `1h30m`, `1.5s`, `100ms`, `0`; nanoseconds.
fn parse_duration(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total: i128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_len =
            tail.find(|char: char| char.is_ascii_digit() || char == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let unit_ns: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || number.len() > 30 {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(unit_ns)?)?;
        let mut scale = unit_ns;
        for digit in fraction.chars() {
            scale /= 10;
            total += i128::from(digit.to_digit(10)?) * scale;
        }
        rest = tail;
    }
    i64::try_from(total).ok()
}

/// A duration as Go prints it: `1m30s`, `1.5s`, `100ms`, `0s`.
pub(super) fn show_duration(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let text = format!("{}.{:0width$}", value / unit, value % unit, width = digits(unit));
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let text = match ns {
        0 => "0s".to_owned(),
        1..1_000 => format!("{ns}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(ns, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(ns, 1_000_000)),
        _ => {
            let minutes = ns / 60_000_000_000;
            let seconds = fraction(ns % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

fn digits(unit: u64) -> usize {
    unit.ilog10() as usize
}

#[cfg(test)]
mod tests {
    use super::{parse_duration, show_duration};

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        for (text, ns, shown) in [
            ("0", 0, "0s"),
            ("5s", 5_000_000_000, "5s"),
            ("1m30s", 90_000_000_000, "1m30s"),
            ("1.5h", 5_400_000_000_000, "1h30m0s"),
            ("100ms", 100_000_000, "100ms"),
            (".5s", 500_000_000, "500ms"),
            ("1.25s", 1_250_000_000, "1.25s"),
            ("1us", 1_000, "1µs"),
            ("90ns", 90, "90ns"),
        ] {
            assert_eq!(parse_duration(text), Some(ns), "{text}");
            assert_eq!(show_duration(ns), shown, "{text}");
        }
        for bad in ["", "5", "s", "-5s", "5 s", "5x", ".s", "99999999999999h", "1s."] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
