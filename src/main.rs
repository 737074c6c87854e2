//! The `binsync` command; all of it is in [`binsync::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    binsync::cli::main()
}
