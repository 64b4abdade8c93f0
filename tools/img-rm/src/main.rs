//! See `img-rm`(1).

fn main() -> std::process::ExitCode {
    common::cli::main_or(common::sandbox::main_of_child, img_rm::command, img_rm::run)
}
