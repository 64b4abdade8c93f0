//! STOPSIGNAL: a name or a number of Linux's.

use super::error::Problem;

/// Checks a signal: `SIGTERM`, `term`, `RTMIN+3`, `15`.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    if is_signal(text) { Ok(()) } else { Err(Problem::InvalidSignal(text.to_owned())) }
}

fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=64).contains(&number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    // Signals 34 to 64; between the two names each can be counted from either.
    let offset = |rest: &str, sign: char, max: u8| {
        rest.is_empty()
            || rest
                .strip_prefix(sign)
                .and_then(|rest| rest.parse::<u8>().ok())
                .is_some_and(|n| n <= max)
    };
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return offset(rest, '+', 30);
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return offset(rest, '-', 30);
    }
    matches!(name, "CLD" | "POLL")
        || format!("SIG{name}").parse::<nix::sys::signal::Signal>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_signal;

    #[test]
    fn signals_are_names_or_numbers() {
        for good in ["9", "SIGKILL", "kill", "Term", "SIGRTMIN+3", "RTMAX-2", "RTMIN", "64"] {
            assert!(is_signal(good), "{good}");
        }
        for bad in ["", "0", "65", "SIG", "FOO", "RTMIN+31", "RTMIN3", "-9", "SIGSIGKILL"] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
