//! Which step of the history made a layer.

use crate::human::ellipsis;
use crate::image::Image;
use crate::oci::History;

/// The width to which a step is cut where every name or row of a list repeats it, in
/// columns: the history of an attacker's image may be megabytes long.
const BRIEF_WIDTH: usize = 500;

/// The step that made a layer; empty if the history does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Its entry in the history.
    pub entry: History,
}

/// The steps of an image that made its layers, base first. A history that mentions fewer
/// layers, or none, tells nothing of the rest.
#[must_use]
pub fn steps(image: &Image) -> Vec<Step> {
    let made = image.config.history.iter().filter(|entry| !entry.empty_layer);
    let mut steps: Vec<_> = made.map(|entry| Step { entry: entry.clone() }).collect();
    steps.resize(image.manifest.layers.len(), Step::default());
    steps
}

impl Step {
    /// The command or instruction on one line, without the words that docker and BuildKit
    /// put around it.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.entry.created_by.trim();
        let text = match text.strip_prefix("/bin/sh -c ") {
            Some(command) => match command.strip_prefix("#(nop)") {
                Some(instruction) => instruction.trim_start().to_owned(),
                None => format!("RUN {command}"),
            },
            None => text.replacen("RUN /bin/sh -c ", "RUN ", 1),
        };
        let text = text.strip_suffix("# buildkit").unwrap_or(&text);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match (line.is_empty(), self.entry.comment.trim()) {
            (true, "") => "(no history)".into(),
            (true, comment) => comment.split_whitespace().collect::<Vec<_>>().join(" "),
            (false, _) => line,
        }
    }

    /// The text, cut, for lists that repeat it with each name.
    #[must_use]
    pub fn brief(&self) -> String {
        ellipsis(&self.text(), BRIEF_WIDTH)
    }

    /// The command or instruction as the history has it, cut likewise.
    #[must_use]
    pub fn brief_created_by(&self) -> String {
        ellipsis(&self.entry.created_by, BRIEF_WIDTH)
    }
}

#[cfg(test)]
mod tests {
    use super::{History, Step};

    #[test]
    fn the_words_of_docker_and_buildkit_are_left_out() {
        let text = |created_by: &str| {
            let entry = History { created_by: created_by.into(), ..History::default() };
            Step { entry }.text()
        };
        assert_eq!(text("/bin/sh -c #(nop)  CMD [\"sh\"]"), "CMD [\"sh\"]");
        assert_eq!(text("/bin/sh -c apt-get  update"), "RUN apt-get update");
        assert_eq!(text("RUN /bin/sh -c a &&\tb # buildkit"), "RUN a && b");
        assert_eq!(text("COPY a b # buildkit"), "COPY a b");
        assert_eq!(text(" "), "(no history)");
    }
}
