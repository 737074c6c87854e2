//! `completions` and `man`, made from the command line's own definition.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{DONE, print};
use crate::error::{Context as _, Error, Result};

const COMPLETIONS_HELP: &str = "\
Examples:
  binsync completions bash > /etc/bash_completion.d/binsync
  binsync completions zsh > ~/.zfunc/_binsync
  binsync completions fish > ~/.config/fish/completions/binsync.fish";

const MAN_HELP: &str = "\
Examples:
  binsync man | man -l -
  binsync man apply > /usr/local/share/man/man1/binsync-apply.1";

/// Arguments of `completions`.
#[derive(Args, Debug)]
#[command(after_help = COMPLETIONS_HELP)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Args, Debug)]
#[command(after_help = MAN_HELP)]
pub struct ManArgs {
    /// The command whose page it is; without one, that of binsync itself
    command: Option<String>,
}

/// Writes what a shell needs to complete the command line.
///
/// # Errors
/// When stdout cannot be written.
pub fn completions(args: &CompletionsArgs, mut cli: Command) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli, "binsync", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(DONE)
}

/// Writes a manual page.
///
/// # Errors
/// When there is no such command (usage), or stdout cannot be written.
pub fn man(args: &ManArgs, mut cli: Command) -> Result<u8> {
    cli.build();
    let command = match &args.command {
        None => cli,
        Some(name) => {
            let found = cli.find_subcommand(name).cloned();
            found.ok_or_else(|| {
                Error::usage(format!("no command {name:?}")).help("binsync --help lists them")
            })?
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).context("manual page")?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(DONE)
}
