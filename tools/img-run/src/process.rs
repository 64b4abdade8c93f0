//! What an image's config and the arguments make together: argv, environment,
//! directory and user, by docker's rules.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use common::cli::Failure;
use common::oci::ContainerConfig;

use crate::cli::Cli;

/// The program and its arguments.
///
/// ENTRYPOINT comes before CMD; arguments replace CMD, and another entrypoint does
/// away with it.
pub(crate) fn argv(cli: &Cli, config: &ContainerConfig) -> Result<Vec<OsString>, Failure> {
    let words = |list: &Option<Vec<String>>| -> Vec<OsString> {
        list.iter().flatten().map(OsString::from).collect()
    };
    let (mut argv, default) = match &cli.entrypoint {
        Some(program) if program.is_empty() => (Vec::new(), Vec::new()),
        Some(program) => (vec![program.clone()], Vec::new()),
        None => (words(&config.entrypoint), words(&config.cmd)),
    };
    let given = cli.arguments();
    argv.extend(if given.is_empty() { default } else { given.to_vec() });
    if argv.is_empty() {
        return Err(Failure::new("the image has no command, and none was given"));
    }
    Ok(argv)
}

/// The environment, in order: the image's, then files, then `-e`; the last counts.
///
/// `caller` gives the caller's own value of a name that comes without one.
pub(crate) fn env(
    cli: &Cli,
    config: &ContainerConfig,
    files: &[Vec<u8>],
    caller: impl Fn(&OsStr) -> Option<OsString>,
) -> Result<Vec<(OsString, OsString)>, Failure> {
    let mut env = vec![("HOSTNAME".into(), OsString::from(&cli.hostname))];
    if cli.tty {
        env.push(("TERM".into(), caller(OsStr::new("TERM")).unwrap_or_else(|| "xterm".into())));
    }
    for setting in &config.env {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        env.push((name.into(), value.into()));
    }
    let lines = files.iter().flat_map(|file| file.split(|byte| *byte == b'\n'));
    let settings = lines
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .chain(cli.env.iter().map(|setting| setting.as_bytes()));
    for setting in settings {
        let (name, value) = match setting.iter().position(|byte| *byte == b'=') {
            Some(at) => setting.split_at(at),
            None => (setting, &b""[..]),
        };
        if name.is_empty() {
            let setting = common::name::show(setting);
            return Err(Failure::usage(format!("a variable without a name: '{setting}'")));
        }
        let name = OsString::from_vec(name.to_vec());
        match value.strip_prefix(b"=") {
            Some(value) => env.push((name, OsString::from_vec(value.to_vec()))),
            // As docker: what the caller does not have either is left out.
            None => env.extend(caller(&name).map(|value| (name, value))),
        }
    }
    Ok(env)
}

/// Where the command starts.
pub(crate) fn directory(cli: &Cli, config: &ContainerConfig) -> PathBuf {
    let configured = Path::new("/").join(&config.working_dir);
    match &cli.workdir {
        Some(dir) => configured.join(dir),
        None => configured,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::FromArgMatches as _;
    use common::oci::ContainerConfig;

    use super::{Cli, argv, directory, env};

    fn cli(arguments: &[&str]) -> Cli {
        let words = [&["img-run"], arguments].concat();
        Cli::from_arg_matches(&crate::command().try_get_matches_from(words).unwrap()).unwrap()
    }

    fn config() -> ContainerConfig {
        ContainerConfig {
            entrypoint: Some(vec!["node".into()]),
            cmd: Some(vec!["app.js".into()]),
            env: vec!["A=1".into(), "B=2=3".into()],
            working_dir: "/app".into(),
            ..ContainerConfig::default()
        }
    }

    #[test]
    fn arguments_replace_cmd_and_an_entrypoint_does_away_with_it() {
        let argv = |arguments: &[&str]| -> Vec<String> {
            let argv = argv(&cli(arguments), &config()).unwrap();
            argv.into_iter().map(|word| word.into_string().unwrap()).collect()
        };
        assert_eq!(argv(&["i"]), ["node", "app.js"]);
        assert_eq!(argv(&["i", "-v", "--help"]), ["node", "-v", "--help"]);
        assert_eq!(argv(&["--entrypoint", "sh", "i"]), ["sh"]);
        assert_eq!(argv(&["--entrypoint", "", "i", "ls", "-l"]), ["ls", "-l"]);
        assert!(super::argv(&cli(&["i"]), &ContainerConfig::default()).is_err());
    }

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let file = b"# note\n\nF=from file\r\nA=file\nHAS\nHAS_NOT\n".to_vec();
        let cli = cli(&["-e", "A=option", "i"]);
        let caller = |name: &std::ffi::OsStr| (name == "HAS").then(|| OsString::from("it"));
        let env = env(&cli, &config(), &[file], caller).unwrap();
        let last = |name: &str| {
            let found = env.iter().rev().find(|(known, _)| known == name);
            found.map(|(_, value)| value.to_str().unwrap())
        };
        assert_eq!(last("A"), Some("option"));
        assert_eq!(last("B"), Some("2=3"));
        assert_eq!(last("F"), Some("from file"));
        assert_eq!((last("HAS"), last("HAS_NOT")), (Some("it"), None));
    }

    #[test]
    fn directories_are_relative_to_the_images() {
        assert_eq!(directory(&cli(&["i"]), &config()).to_str(), Some("/app"));
        assert_eq!(directory(&cli(&["-w", "x", "i"]), &config()).to_str(), Some("/app/x"));
        assert_eq!(directory(&cli(&["-w", "/x", "i"]), &config()).to_str(), Some("/x"));
        assert_eq!(directory(&cli(&["i"]), &ContainerConfig::default()).to_str(), Some("/"));
    }
}
