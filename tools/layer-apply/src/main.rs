//! See `layer-apply`(1).

fn main() -> std::process::ExitCode {
    common::cli::main_or(common::sandbox::main_of_child, layer_apply::command, layer_apply::run)
}
