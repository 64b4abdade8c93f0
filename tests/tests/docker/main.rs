//! Docker as the judge of what reads like docker's: commits, histories, inspections of
//! the same images, by both.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod commit;
mod history;
mod inspect;

use layerutils_tests::run::Outcome;
use layerutils_tests::sandbox::Sandbox;
use serde_json::{Value, json};

/// A sandbox, and names in the daemon that are its own and are gone with it.
struct Daemon {
    sandbox: Sandbox,
    prefix: String,
}

impl Daemon {
    fn new(test: &str) -> Self {
        let prefix = format!("layerutils-test-{}-{test}", std::process::id());
        Self { sandbox: Sandbox::new(), prefix }
    }

    /// The image or container called `name` here.
    fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    #[track_caller]
    fn run(&self, argv: &[&str]) -> Outcome {
        self.sandbox.run(argv).succeeds()
    }

    /// What `docker save` writes of an image, in a file of the sandbox.
    #[track_caller]
    fn save(&self, image: &str, file: &str) {
        self.run(&["docker", "save", "-o", file, &self.name(image)]);
    }

    /// What `img-inspect --config` shows.
    #[track_caller]
    fn config(&self, reference: &str) -> Value {
        let shown = self.run(&["img-inspect", "--config", reference]);
        serde_json::from_slice(&shown.stdout).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let script = r#"
            docker ps -aq --filter "name=$0" | xargs -r docker rm -f
            docker images --format '{{.Repository}}:{{.Tag}}' | grep "^$0" | xargs -r docker rmi -f
        "#;
        let _ = self.sandbox.run(&["bash", "-c", script, &self.prefix]).outcome();
    }
}

/// Whether a field might as well not be there.
fn says_nothing(value: &Value) -> bool {
    value.is_null() || [json!(""), json!([]), json!({}), json!(false)].contains(value)
}
