//! Options of `docker build` that have no meaning here: all that were given are answered in
//! one message, each with what to do instead. Those that ask for what is so anyway pass.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use common::cli::Failure;

/// No container and no daemon is used, nothing is signed and nothing attested.
const PASSING: [(&str, &[&str]); 6] = [
    ("rm", &["true", "false"]),
    ("force-rm", &["true", "false"]),
    ("compress", &["true", "false"]),
    ("disable-content-trust", &["true", "false"]),
    ("provenance", &["false"]),
    ("sbom", &["false"]),
];

const LIMITS: &str = "start the build under limits, as systemd-run(1) or prlimit(1) set them";

/// A long option, its short one, whether it takes a value, and what to do instead.
const REFUSED: [(&str, Option<char>, ArgAction, &str); 21] = {
    use ArgAction::{Append, SetTrue};
    [
        ("allow", None, Append, "no step may do more than others: leave it out"),
        ("attest", None, Append, "nothing is attested: leave it out"),
        ("builder", None, Append, "there is one builder: leave it out"),
        ("cache-from", None, Append, "the cache is used anyway: leave it out"),
        ("cache-to", None, Append, "results are kept in the cache anyway: leave it out"),
        ("cgroup-parent", None, Append, LIMITS),
        ("cpu-period", None, Append, LIMITS),
        ("cpu-quota", None, Append, LIMITS),
        ("cpu-shares", Some('c'), Append, LIMITS),
        ("cpuset-cpus", None, Append, LIMITS),
        ("cpuset-mems", None, Append, LIMITS),
        ("isolation", None, Append, "it is for Windows: leave it out"),
        ("memory", Some('m'), Append, LIMITS),
        ("memory-swap", None, Append, LIMITS),
        ("no-cache-filter", None, Append, "--no-cache executes every step"),
        ("security-opt", None, Append, "every command has docker's usual limits: leave it out"),
        ("shm-size", None, Append, "mount one: RUN --mount=type=tmpfs,target=/dev/shm,size=SIZE"),
        ("squash", None, SetTrue, "img-commit --squash makes one layer of an image"),
        ("stream", None, SetTrue, "the context is read in place: leave it out"),
        ("ulimit", None, Append, LIMITS),
        ("cpus", None, Append, LIMITS),
    ]
};

/// Adds them, for the parser to know; help does not show them.
pub(crate) fn known(command: Command) -> Command {
    let refused = REFUSED.map(|(long, short, action, _)| {
        let option = Arg::new(long).long(long).action(action).hide(true);
        short.into_iter().fold(option, Arg::short)
    });
    let passing = PASSING.map(|(long, _)| {
        let option = Arg::new(long).long(long).hide(true).action(ArgAction::Append);
        option.num_args(0..=1).require_equals(true).default_missing_value("true")
    });
    command.args(refused).args(passing)
}

/// Refuses those of them that were given, all at once.
///
/// # Errors
/// A message with the alternatives.
pub(crate) fn refuse(matches: &ArgMatches) -> Result<(), Failure> {
    let given = |long: &str| matches.value_source(long) == Some(ValueSource::CommandLine);
    let mut found: Vec<(String, &str)> = REFUSED
        .iter()
        .filter(|(long, ..)| given(long))
        .map(|(long, .., instead)| (format!("--{long}"), *instead))
        .collect();
    for (long, values) in PASSING {
        let other = matches.get_many::<String>(long).into_iter().flatten();
        let mut other = other.filter(|value| !values.contains(&value.as_str()));
        if let Some(value) = other.next() {
            found.push((format!("--{long}={value}"), "nothing is attested: leave it out"));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    let have = if names.len() == 1 { "is docker's, and has" } else { "are docker's, and have" };
    let hints: Vec<_> = match found.as_slice() {
        [(_, instead)] => vec![(*instead).to_owned()],
        _ => found.iter().map(|(name, instead)| format!("{name}: {instead}")).collect(),
    };
    let text = format!("{} {have} no meaning here", names.join(", "));
    Err(Failure::usage(text).hint(hints.join("; ")))
}
