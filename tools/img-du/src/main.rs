//! See `img-du`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_du::command, img_du::run)
}
