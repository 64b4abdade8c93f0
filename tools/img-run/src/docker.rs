//! Options of `docker run` that have no meaning here, refused with what to do instead.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use common::cli::Failure;

const OPTIONS: [(Option<char>, &str, ArgAction, &str); 7] = {
    use ArgAction::{Append, SetTrue};
    [
        (Some('d'), "detach", SetTrue, "there is no daemon to keep it: end the line with &"),
        (Some('i'), "interactive", SetTrue, "the command has standard input anyway: leave it out"),
        (None, "mount", Append, "use --volume or --tmpfs"),
        (None, "name", Append, "a command is a process, with a number: leave it out"),
        (None, "privileged", SetTrue, "use --cap-add and --security-opt"),
        (Some('p'), "publish", Append, "ports are open on the host's network: leave it out"),
        (None, "rm", SetTrue, "nothing is kept unless --upper says where: leave it out"),
    ]
};

/// Adds them, for the parser to know; help does not show them.
pub(crate) fn known(command: Command) -> Command {
    command.args(OPTIONS.map(|(short, long, action, _)| {
        let option = Arg::new(long).long(long).action(action).hide(true);
        short.into_iter().fold(option, Arg::short)
    }))
}

/// Refuses the first of them that was given.
///
/// # Errors
/// What to do instead.
pub(crate) fn refuse(matches: &ArgMatches) -> Result<(), Failure> {
    let given = |long| matches.value_source(long) == Some(ValueSource::CommandLine);
    match OPTIONS.iter().find(|(_, long, ..)| given(long)) {
        Some((_, long, _, instead)) => {
            Err(Failure::new(format!("--{long} is docker's, and has no meaning here"))
                .hint(*instead))
        }
        None => Ok(()),
    }
}
