//! See `img-rm`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_rm::command, img_rm::run)
}
