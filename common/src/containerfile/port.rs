//! EXPOSE: `80`, `80/udp`, `8000-8010/tcp`, and docker's `IP:HOST:CONTAINER`.

use std::ops::RangeInclusive;

use super::error::Problem;

/// As many as there are, of three protocols.
const MAX_PORTS: usize = 3 * 65536;

/// The single ports that the words of EXPOSE stand for, as `PORT/PROTO`.
///
/// # Errors
/// A word that is none; `1-65535` again and again, which nobody needs.
pub(super) fn parse(words: &[String]) -> Result<Vec<String>, Problem> {
    let ranges =
        words.iter().map(|word| range(word).ok_or_else(|| Problem::InvalidPort(word.clone())));
    let ranges = ranges.collect::<Result<Vec<_>, _>>()?;
    if ranges.iter().map(|(ports, _)| ports.len()).sum::<usize>() > MAX_PORTS {
        return Err(Problem::TooManyPorts(MAX_PORTS));
    }
    let ports = ranges
        .into_iter()
        .flat_map(|(ports, protocol)| ports.map(move |port| format!("{port}/{protocol}")));
    Ok(ports.collect())
}

/// The ports of a word, and their protocol.
fn range(word: &str) -> Option<(RangeInclusive<u16>, &'static str)> {
    // Addresses and host ports say how a port is published, not what is exposed:
    // they are checked, and dropped as BuildKit does.
    let (mapping, container) = word.rsplit_once(':').unwrap_or(("", word));
    let (address, host) = mapping.rsplit_once(':').unwrap_or(("", mapping));
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if !bare.is_empty() && bare.parse::<std::net::IpAddr>().is_err() {
        return None;
    }
    let (range, protocol) = container.split_once('/').unwrap_or((container, ""));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "" | "tcp" => "tcp",
        "udp" => "udp",
        "sctp" => "sctp",
        _ => return None,
    };
    let (first, last) = parse_range(range)?;
    if !host.is_empty() {
        let (host_first, host_last) = parse_range(host)?;
        if last != first && last - first != host_last - host_first {
            return None;
        }
    }
    Some((first..=last, protocol))
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn no_more_ports_are_named_than_there_are() {
        let all = |count: usize| parse(&vec!["0-65535".to_owned(); count]);
        assert_eq!(all(3).unwrap().len(), 3 * 65536);
        assert_eq!(all(4).unwrap_err().to_string(), "more than 196608 ports");
        assert!(all(800).is_err());
    }

    #[test]
    fn ports_are_expanded_and_checked() {
        for (word, expected) in [
            ("80", vec!["80/tcp"]),
            ("443/UDP", vec!["443/udp"]),
            ("9000-9002/sctp", vec!["9000/sctp", "9001/sctp", "9002/sctp"]),
            ("8080:80/tcp", vec!["80/tcp"]),
            ("127.0.0.1:8080:80", vec!["80/tcp"]),
            ("[::1]:8080:80", vec!["80/tcp"]),
            ("0", vec!["0/tcp"]),
        ] {
            assert_eq!(parse(&[word.to_owned()]).unwrap(), expected, "{word}");
        }
        for bad in
            ["", "x", "80/foo", "65536", "-1", "+1", "90-80", "x:80", "y:1:80", "1-2:3-6", "/tcp"]
        {
            assert!(parse(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
