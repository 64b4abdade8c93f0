//! The `--flags` of an instruction, checked against those it has.

use super::error::Problem;

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, `true` or `false`.
    Switch,
    /// One value, once.
    Value,
    /// A value, any number of times.
    Values,
}

/// The flags that were given.
#[derive(Debug)]
pub(super) struct Flags(Vec<(&'static str, String)>);

impl Flags {
    /// Checks the flags `given` to `instruction` against the `known` ones.
    pub(super) fn parse(
        instruction: &'static str,
        given: &[String],
        known: &[(&'static str, Takes)],
    ) -> Result<Self, Problem> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for flag in given {
            let (dashed, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag.as_str(), None),
            };
            let name = dashed.trim_start_matches("--");
            let Some((name, takes)) = known.iter().find(|(known, _)| *known == name) else {
                let nearest = super::nearest(name, known.iter().map(|(known, _)| *known));
                let flag = dashed.to_owned();
                return Err(Problem::UnknownFlag { instruction, flag, nearest });
            };
            if *takes != Takes::Values && found.iter().any(|(other, _)| other == name) {
                return Err(Problem::DuplicateFlag(dashed.to_owned()));
            }
            let value = match (takes, value) {
                (Takes::Switch, None) => "true".to_owned(),
                (Takes::Switch, Some(value)) => match value.to_ascii_lowercase() {
                    value if value == "true" || value == "false" => value,
                    _ => {
                        return Err(Problem::InvalidValue {
                            flag: dashed.to_owned(),
                            value: value.to_owned(),
                        });
                    }
                },
                (_, Some(value)) => value.to_owned(),
                (_, None) => return Err(Problem::MissingValue(dashed.to_owned())),
            };
            found.push((name, value));
        }
        Ok(Self(found))
    }

    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        self.value(name).map(|value| value == "true")
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.values(name).pop()
    }

    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(found, _)| *found == name).map(|(_, value)| value.clone()).collect()
    }
}
