//! What `--memory`, `--pids-limit` and `--cpus` mean, in docker's units.

use common::human::parse_docker_size;

/// The least memory that docker takes: less starts nothing.
const LEAST_MEMORY: u64 = 6 << 20;

/// Why a limit is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("not a size")]
    Size,
    #[error("less than 6m, which starts nothing")]
    Memory,
    #[error("not a number of processes")]
    Pids,
    #[error("not a number of processors, at least 0.01")]
    Cpus,
}

/// `--memory`.
pub(crate) fn memory(text: &str) -> Result<u64, Invalid> {
    let bytes = parse_docker_size(text).ok_or(Invalid::Size)?;
    if bytes < LEAST_MEMORY { Err(Invalid::Memory) } else { Ok(bytes) }
}

/// `--pids-limit`: `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pids(pub(crate) Option<u64>);

/// `--pids-limit`, with docker's 0 and -1 for none.
pub(crate) fn pids(text: &str) -> Result<Pids, Invalid> {
    match text.parse::<i64>() {
        Ok(-1 | 0) => Ok(Pids(None)),
        Ok(count) => u64::try_from(count).map(|count| Pids(Some(count))).map_err(|_| Invalid::Pids),
        Err(_) => Err(Invalid::Pids),
    }
}

/// `--cpus`: a decimal number, in thousandths.
pub(crate) fn milli_cpus(text: &str) -> Result<u64, Invalid> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + part.len() == 0 || !digits(whole) || !digits(part) || part.len() > 3 {
        return Err(Invalid::Cpus);
    }
    let number = format!("{whole}{part:0<3}").parse::<u64>().map_err(|_| Invalid::Cpus)?;
    if number < 10 { Err(Invalid::Cpus) } else { Ok(number) }
}

#[cfg(test)]
mod tests {
    use super::{Pids, memory, milli_cpus, pids};

    #[test]
    fn limits_are_read_as_docker_reads_them() {
        assert_eq!(memory("6m"), Ok(6 << 20));
        assert!(memory("6291455").is_err() && memory("x").is_err());
        assert_eq!(
            (pids("5"), pids("-1"), pids("0")),
            (Ok(Pids(Some(5))), Ok(Pids(None)), Ok(Pids(None)))
        );
        assert!(pids("-2").is_err() && pids("x").is_err());
        assert_eq!(
            (milli_cpus("1.5"), milli_cpus("2"), milli_cpus(".01")),
            (Ok(1500), Ok(2000), Ok(10))
        );
        for bad in ["", ".", "0", "0.009", "-1", "1e3", "1.2345", "99999999999999999999"] {
            assert!(milli_cpus(bad).is_err(), "{bad}");
        }
    }
}
