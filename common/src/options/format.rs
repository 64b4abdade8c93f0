//! The values of `--format oci|docker`.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::oci::ManifestFormat;

impl ValueEnum for ManifestFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Oci, Self::Docker]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Oci => PossibleValue::new("oci").help("OCI's"),
            Self::Docker => PossibleValue::new("docker").help("Docker's schema 2"),
        })
    }
}
