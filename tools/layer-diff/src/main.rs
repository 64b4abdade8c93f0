//! See `layer-diff`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(layer_diff::command, layer_diff::run)
}
