//! See `img-history`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_history::command, img_history::run)
}
