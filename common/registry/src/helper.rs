//! Programs that keep credentials, `docker-credential-NAME`
//! (github.com/docker/docker-credential-helpers).

use std::io::{self, Read as _, Write as _};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::credentials::{DOCKER_HUB_KEY, MAX_LEN_BYTES};
use super::reference::{DOCKER_HUB, RegistryReference};
use super::{Credentials, Error};

/// The user's name in a helper's answer that holds an identity token.
const TOKEN_USER: &str = "<token>";

/// Asks a helper for the credentials of a registry; `None` if it has none.
pub(super) fn ask(name: &str, reference: &RegistryReference) -> Result<Option<Credentials>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let program = program(name)?;
    let failed = |what: String| Error::Helper { program: program.clone(), what };
    let asked = run(&program, "get", server(reference).as_bytes());
    let (success, answer) = asked.map_err(|error| failed(error.to_string()))?;
    if !success {
        // The protocol has no other sign for it than these words.
        let said = String::from_utf8_lossy(&answer).trim().to_owned();
        return if said.contains("credentials not found") { Ok(None) } else { Err(failed(said)) };
    }
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|_| failed("its answer is not what a credential helper says".into()))?;
    Ok(Some(match answer {
        Answer { username, secret } if username == TOKEN_USER => Credentials::Identity(secret),
        Answer { username: user, secret: password } => Credentials::Password { user, password },
    }))
}

/// Returns the program of the helper that a file of credentials calls `name`.
fn program(name: &str) -> Result<String, Error> {
    let program = format!("docker-credential-{name}");
    match name.contains(['/', '\0']) {
        true => Err(Error::Helper { program, what: "not a helper's name".into() }),
        false => Ok(program),
    }
}

/// Returns the name of a registry for helpers.
fn server(reference: &RegistryReference) -> &str {
    if reference.host == DOCKER_HUB { DOCKER_HUB_KEY } else { &reference.host }
}

/// Gives a helper credentials to keep.
pub(super) fn store(
    name: &str,
    reference: &RegistryReference,
    given: &Credentials,
) -> Result<(), Error> {
    let Credentials::Password { user, password } = given else { return Ok(()) };
    let program = program(name)?;
    let failed = |what: String| Error::Helper { program: program.clone(), what };
    let server = server(reference);
    let input = serde_json::json!({"ServerURL": server, "Username": user, "Secret": password});
    match run(&program, "store", input.to_string().as_bytes()) {
        Ok((true, _)) => Ok(()),
        Ok((false, _)) => Err(failed("does not keep the credentials".into())),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn run(program: &str, verb: &str, text: &[u8]) -> io::Result<(bool, Vec<u8>)> {
    let mut command = Command::new(program);
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read has its own way to know.
        let _ = input.write_all(text);
    }
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_LEN_BYTES).read_to_end(&mut answer)?;
    }
    Ok((child.wait()?.success(), answer))
}
