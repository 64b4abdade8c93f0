//! The few things that are asked of a URL: whose it is, and what a `Location` means.

use std::net::IpAddr;

use ureq::http::Uri;

/// Whose a URL is: credentials go to nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    /// In lower case, an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// How a host is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Origin {
    /// The origin of an absolute URL of one of the two schemes, without a user in it.
    pub(super) fn of(url: &Uri) -> Option<Self> {
        let (scheme, default_port) = match url.scheme_str()? {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            _ => return None,
        };
        let authority = url.authority()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let host = authority.host().to_ascii_lowercase();
        Some(Self { scheme, host, port: authority.port_u16().unwrap_or(default_port) })
    }

    /// Whether this is the machine we run on.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether who speaks for this origin may send us to `other`: not from a secure
    /// connection to a plain one, unless such were asked for, and not from another
    /// machine to our own.
    pub(super) fn may_lead_to(&self, other: &Self, insecure: bool) -> bool {
        let downgrade = self.scheme == Scheme::Https && other.scheme == Scheme::Http;
        let inwards = other.is_loopback() && !self.is_loopback();
        (!downgrade || insecure) && !inwards
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a `Location` (RFC 9110, section 10.2.2) means in an answer from `base`.
pub(super) fn join(base: &Uri, location: &str) -> Option<Uri> {
    // A colon before all else ends a scheme.
    if location.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
        return location.parse().ok();
    }
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    if location.starts_with("//") {
        return format!("{scheme}:{location}").parse().ok();
    }
    let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = match location.as_bytes().first() {
        Some(b'/') => location.to_owned(),
        Some(b'?') => format!("{}{location}", base.path()),
        _ => format!("{folder}/{location}"),
    };
    format!("{scheme}://{authority}{path}").parse().ok()
}

/// `url` with one more parameter.
pub(super) fn with_query(url: &Uri, name: &str, value: &str) -> Option<Uri> {
    let separator = if url.query().is_some() { '&' } else { '?' };
    format!("{url}{separator}{name}={}", encode(value)).parse().ok()
}

/// Percent-encodes what is not unreserved (RFC 3986, section 2.3).
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{Origin, encode, join, with_query};
    use ureq::http::Uri;

    fn origin(text: &str) -> Option<Origin> {
        Origin::of(&text.parse::<Uri>().ok()?)
    }

    #[test]
    fn origins_differ_in_scheme_host_and_port() {
        assert_eq!(origin("https://A.example/x"), origin("https://a.example:443/y"));
        for other in ["http://a.example/", "https://b.example/", "https://a.example:444/"] {
            assert_ne!(origin("https://a.example/"), origin(other));
        }
        for none in ["ftp://a/", "/x", "https://user@a.example/", "https://a:b@a.example/"] {
            assert_eq!(origin(none), None, "{none}");
        }
        assert!(origin("http://127.0.0.9:1/").unwrap().is_loopback());
        assert!(origin("http://[::1]:1/").unwrap().is_loopback());
        assert!(!origin("http://localhost.example/").unwrap().is_loopback());
    }

    #[test]
    fn nobody_leads_us_from_safety_or_inwards() {
        let (safe, plain) = (origin("https://a/").unwrap(), origin("http://b/").unwrap());
        let own = origin("https://127.0.0.1/").unwrap();
        assert!(safe.may_lead_to(&origin("https://b/").unwrap(), false));
        assert!(plain.may_lead_to(&safe, false));
        assert!(!safe.may_lead_to(&plain, false) && safe.may_lead_to(&plain, true));
        assert!(!safe.may_lead_to(&own, true) && own.may_lead_to(&safe, false));
    }

    #[test]
    fn locations_are_resolved() {
        let base: Uri = "https://h:1/v2/a/uploads/?x=1".parse().unwrap();
        for (location, url) in [
            ("http://o/y", "http://o/y"),
            ("//o/y", "https://o/y"),
            ("/y?z", "https://h:1/y?z"),
            ("u?z", "https://h:1/v2/a/uploads/u?z"),
            ("?z", "https://h:1/v2/a/uploads/?z"),
        ] {
            assert_eq!(join(&base, location).unwrap().to_string(), url);
        }
        assert!(join(&base, "/a b\n").is_none());
        let url = with_query(&base, "digest", "sha256:a").unwrap();
        assert_eq!(url.to_string(), "https://h:1/v2/a/uploads/?x=1&digest=sha256%3Aa");
        assert_eq!(encode("a/b:é"), "a%2Fb%3A%C3%A9");
    }
}
