//! See `img-run`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_run::parser, img_run::run)
}
