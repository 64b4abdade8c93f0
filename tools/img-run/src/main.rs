//! See `img-run`(1).

fn main() -> std::process::ExitCode {
    common::cli::main_or(common::sandbox::main_of_child, img_run::parser, img_run::run)
}
