//! Which step of the history made a layer.

use crate::image::Image;
use crate::oci::History;

/// The step that made a layer; empty if the history does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Its place in the history, counted from 1; 0 if the history does not tell.
    pub number: usize,
    /// Its entry in the history.
    pub entry: History,
}

/// The steps of an image that made its layers, base first. A history that mentions fewer
/// layers, or none, tells nothing of the rest.
#[must_use]
pub fn steps(image: &Image) -> Vec<Step> {
    let history = image.config.history.iter().zip(1..);
    let made = history.filter(|(entry, _)| !entry.empty_layer);
    let mut steps: Vec<_> =
        made.map(|(entry, number)| Step { number, entry: entry.clone() }).collect();
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
}

#[cfg(test)]
mod tests {
    use super::{History, Step};

    #[test]
    fn the_words_of_docker_and_buildkit_are_left_out() {
        let text = |created_by: &str| {
            let entry = History { created_by: created_by.into(), ..History::default() };
            Step { number: 1, entry }.text()
        };
        assert_eq!(text("/bin/sh -c #(nop)  CMD [\"sh\"]"), "CMD [\"sh\"]");
        assert_eq!(text("/bin/sh -c apt-get  update"), "RUN apt-get update");
        assert_eq!(text("RUN /bin/sh -c a &&\tb # buildkit"), "RUN a && b");
        assert_eq!(text("COPY a b # buildkit"), "COPY a b");
        assert_eq!(text(" "), "(no history)");
    }
}
