//! See `img-index`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_index::command, img_index::run)
}
