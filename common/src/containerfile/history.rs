//! What the history of an image says of an instruction: BuildKit's words, which
//! are what people see today and what other tools parse.

use super::healthcheck::show_duration;
use super::instruction::{Instruction, Transfer};
use super::port;

/// `created_by` of an expanded instruction that is not RUN, COPY, ADD, ARG or
/// FROM; `None` for those and for ONBUILD, which leaves no entry.
#[must_use]
pub fn of_setting(
    instruction: &Instruction,
    config: &crate::oci::ContainerConfig,
) -> Option<String> {
    let pairs = |keyword: &str, pairs: &[(String, String)]| {
        let mut text = keyword.to_owned();
        for (name, value) in pairs {
            text.push_str(&format!(" {name}={value}"));
        }
        text
    };
    let quoted = |words: Option<&Vec<String>>| {
        let words: Vec<_> = words.into_iter().flatten().map(|word| quote(word)).collect();
        words.join(" ")
    };
    Some(match instruction {
        Instruction::Env(env) => pairs("ENV", env),
        Instruction::Label(labels) => pairs("LABEL", labels),
        Instruction::Cmd(_) => format!("CMD [{}]", quoted(config.cmd.as_ref())),
        Instruction::Entrypoint(_) => {
            format!("ENTRYPOINT [{}]", quoted(config.entrypoint.as_ref()))
        }
        Instruction::Shell(shell) => format!("SHELL [{}]", shell.join(" ")),
        Instruction::Workdir(_) => format!("WORKDIR {}", config.working_dir),
        Instruction::User(user) => format!("USER {user}"),
        Instruction::Volume(paths) => format!("VOLUME [{}]", paths.join(" ")),
        Instruction::Expose(words) => {
            format!("EXPOSE [{}]", port::parse(words).unwrap_or_default().join(" "))
        }
        Instruction::StopSignal(signal) => format!("STOPSIGNAL {signal}"),
        Instruction::Maintainer(name) => format!("MAINTAINER {name}"),
        Instruction::Healthcheck(check) => format!(
            "HEALTHCHECK {{Test:[{}] Interval:{} Timeout:{} StartPeriod:{} StartInterval:{} Retries:{}}}",
            check.test.join(" "),
            show_duration(check.interval_ns),
            show_duration(check.timeout_ns),
            show_duration(check.start_period_ns),
            show_duration(check.start_interval_ns),
            check.retries,
        ),
        Instruction::From(_)
        | Instruction::Run(_)
        | Instruction::Copy(_)
        | Instruction::Add(_)
        | Instruction::Arg(_)
        | Instruction::Onbuild(_) => return None,
    })
}

/// `created_by` of a RUN: its argv, preceded by the ARGs that it saw.
#[must_use]
pub fn of_run(argv: &[String], arguments: &[(String, String)]) -> String {
    let mut text = String::from("RUN ");
    if !arguments.is_empty() {
        text.push_str(&format!("|{} ", arguments.len()));
        for (name, value) in arguments {
            text.push_str(&format!("{name}={value} "));
        }
    }
    text.push_str(&argv.join(" "));
    text.push_str(" # buildkit");
    text
}

/// `created_by` of an expanded COPY or ADD.
#[must_use]
pub fn of_transfer(keyword: &str, transfer: &Transfer) -> String {
    let mut text = keyword.to_owned();
    if transfer.parents {
        text.push_str(" --parents");
    }
    for (flag, value) in [("chown", &transfer.chown), ("chmod", &transfer.chmod)] {
        if let Some(value) = value {
            text.push_str(&format!(" --{flag}={value}"));
        }
    }
    for source in &transfer.sources {
        text.push_str(&format!(" {source}"));
    }
    for heredoc in &transfer.heredocs {
        text.push_str(&format!(" <<{}", heredoc.name));
    }
    text.push_str(&format!(" {} # buildkit", transfer.destination));
    text
}

/// `created_by` of an ARG, with the values that are in force.
#[must_use]
pub fn of_arg(arguments: &[(String, Option<String>)]) -> String {
    let mut text = String::from("ARG");
    for (name, value) in arguments {
        text.push_str(&format!(" {name}"));
        if let Some(value) = value {
            text.push_str(&format!("={value}"));
        }
    }
    text
}

/// A string as Go's `%q` writes it.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0b' => quoted.push_str("\\v"),
            '\x0c' => quoted.push_str("\\f"),
            _ if char.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(char))),
            _ if char.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}
