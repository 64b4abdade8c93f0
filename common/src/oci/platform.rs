//! Platforms: written as `os/arch[/variant]`, normalised and matched as containerd
//! does (github.com/containerd/platforms), which docker and the specification's
//! table of variants follow.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::json::{Extra, is_default, null_as_default};

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    /// CPU, by Go's name (`amd64`, `arm64`).
    pub architecture: String,
    /// Operating system, by Go's name.
    pub os: String,
    /// Version of a Windows kernel.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What the system must offer.
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "is_default"
    )]
    pub os_features: Vec<String>,
    /// Variant of the CPU (`v7`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Fields that we do not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Platform {
    /// A platform, normalised.
    #[must_use]
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        Self {
            architecture: architecture.into(),
            os: os.into(),
            os_version: None,
            os_features: Vec::new(),
            variant: variant.map(Into::into),
            extra: Extra::new(),
        }
        .normalised()
    }

    /// The platform of this machine.
    #[must_use]
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86" => "386",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            "mips64" if cfg!(target_endian = "little") => "mips64le",
            "mips" if cfg!(target_endian = "little") => "mipsle",
            "loongarch64" => "loong64",
            other => other,
        };
        Self::new(std::env::consts::OS, architecture, None)
    }

    /// The same platform in Go's spelling, with default variants left out or put
    /// in as containerd does: `x86_64` is `amd64`, `aarch64/v8` is `arm64`, `arm` is `arm/v7`.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.os.make_ascii_lowercase();
        if self.os == "macos" {
            self.os = "darwin".into();
        }
        let variant = self.variant.take().unwrap_or_default().to_ascii_lowercase();
        let (architecture, variant) =
            match (self.architecture.to_ascii_lowercase().as_str(), variant.as_str()) {
                ("i386", _) => ("386".into(), String::new()),
                ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64".into(), String::new()),
                ("x86_64" | "x86-64", _) => ("amd64".into(), variant),
                ("aarch64" | "arm64", "" | "8" | "v8" | "v8.0") => ("arm64".into(), String::new()),
                ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64".into(), "v9".into()),
                ("aarch64", _) => ("arm64".into(), variant),
                ("armhf", _) | ("arm", "" | "7") => ("arm".into(), "v7".into()),
                ("armel", _) => ("arm".into(), "v6".into()),
                ("arm", "5" | "6" | "8") => ("arm".into(), format!("v{variant}")),
                (other, _) => (other.to_owned(), variant),
            };
        self.architecture = architecture;
        self.variant = Some(variant).filter(|variant| !variant.is_empty());
        self
    }

    /// How well an image of platform `offered` serves who wants `self`: 0 is an
    /// exact match, more is worse, `None` is not at all. A CPU runs what was made
    /// for an older variant of it, and the newest such is best.
    #[must_use]
    pub fn accepts(&self, offered: &Self) -> Option<u32> {
        let (wanted, offered) = (self.clone().normalised(), offered.clone().normalised());
        if wanted.os != offered.os || wanted.architecture != offered.architecture {
            return None;
        }
        if wanted.variant == offered.variant {
            return Some(0);
        }
        let level = |variant: &Option<String>, default: u32| match variant.as_deref() {
            None => Some(default),
            Some(text) => text.strip_prefix('v').and_then(|digits| digits.parse::<u32>().ok()),
        };
        let default = match wanted.architecture.as_str() {
            "amd64" => 1,
            "arm64" => 8,
            "arm" => 7,
            // A variant of another CPU has no order that we know: none stands for any.
            _ => return offered.variant.is_none().then_some(1),
        };
        level(&wanted.variant, default)?.checked_sub(level(&offered.variant, default)?)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// A text that is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a platform (OS/ARCH[/VARIANT]): '{}'", crate::name::show(.0))]
pub struct InvalidPlatform(String);

/// Systems that images are for.
const SYSTEMS: [&str; 4] = ["linux", "windows", "freebsd", "darwin"];

/// CPUs in Go's spelling.
const ARCHITECTURES: [&str; 15] = [
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
    "ppc64le", "riscv64", "s390x", "sparc64", "wasm",
];

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty() || !part.bytes().all(allowed)) {
            return Err(InvalidPlatform(text.into()));
        }
        match parts.as_slice() {
            // As containerd takes it: one word is a known system or a known CPU.
            [os] if SYSTEMS.contains(os) => Ok(Self::new(os, &Self::host().architecture, None)),
            [architecture] => {
                let platform = Self::new(std::env::consts::OS, architecture, None);
                match ARCHITECTURES.contains(&platform.architecture.as_str()) {
                    true => Ok(platform),
                    false => Err(InvalidPlatform(text.into())),
                }
            }
            [os, architecture] => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(InvalidPlatform(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn spellings_are_normalised() {
        for (given, meant) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("Linux/AArch64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/6", "linux/arm/v6"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/armel", "linux/arm/v6"),
            ("linux/i386", "linux/386"),
            ("arm64", "linux/arm64"),
        ] {
            assert_eq!(platform(given).to_string(), meant);
        }
        for bad in ["", "/", "linux/", "a/b/c/d", "bogus", "linux/am d64", "linux/../x\n"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn older_variants_serve_newer_machines_only() {
        let accepts = |wanted: &str, offered: &str| platform(wanted).accepts(&platform(offered));
        assert_eq!(accepts("linux/amd64", "linux/amd64"), Some(0));
        assert_eq!(accepts("linux/arm/v7", "linux/arm/v6"), Some(1));
        assert_eq!(accepts("linux/arm/v6", "linux/arm/v7"), None);
        assert_eq!(accepts("linux/amd64/v3", "linux/amd64"), Some(2));
        assert_eq!(accepts("linux/arm64", "linux/arm64/v8"), Some(0));
        assert_eq!(accepts("linux/amd64", "linux/386"), None);
        assert_eq!(accepts("linux/riscv64", "windows/riscv64"), None);
    }
}
