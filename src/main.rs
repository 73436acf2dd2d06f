//! The `rfw` program: hands its arguments to the library and returns the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    rfw::cli::run(std::env::args_os())
}
