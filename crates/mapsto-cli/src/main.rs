//! The `mapsto` command.

fn main() -> std::process::ExitCode {
    mapsto_cli::main()
}
