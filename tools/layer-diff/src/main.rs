//! See `layer-diff`(1).

fn main() -> std::process::ExitCode {
    common::cli::main_or(common::sandbox::main_of_child, layer_diff::command, layer_diff::run)
}
