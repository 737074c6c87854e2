//! What the library's texts name by its kind, in words of the command line.

use crate::error::{Means, Words};

/// A text of the library.
pub(super) fn text(words: &Words) -> String {
    words.worded(|means| word(means).to_owned())
}

fn word(means: Means) -> &'static str {
    match means {
        Means::AllowCascades => "--allow-cascades",
        Means::AllowDdl => "--allow-ddl",
        Means::AllowIncomplete => "--allow-incomplete",
        Means::AllowTriggers => "--allow-triggers",
        Means::AmqpUrl => "--amqp-url",
        Means::Base => "--base",
        Means::Bind => "--bind",
        Means::BinlogName => "--binlog-name",
        Means::Ddl => "--ddl",
        Means::Declare => "--declare",
        Means::DropColumn => "--drop-column",
        Means::ExcludeTable => "--exclude-table",
        Means::Force => "--force",
        Means::GetServerPublicKey => "--get-server-public-key",
        Means::Gtid => "--gtid",
        Means::InsertMode => "--insert-mode",
        Means::KeyFile => "--key-file",
        Means::Map => "--map",
        Means::MaxPacket => "--max-packet",
        Means::Name => "--name",
        Means::Net => "--net",
        Means::OnConflict => "--on-conflict",
        Means::PasswordFile => "--password-file",
        Means::Position => "--position",
        Means::Queue => "--queue",
        Means::Rename => "--rename",
        Means::Schema => "--schema",
        Means::Serial => "--serial",
        Means::ServerId => "--server-id",
        Means::Shared => "--shared",
        Means::Since => "--since",
        Means::SourceLogsCascades => "--source-logs-cascades",
        Means::Split => "--split",
        Means::Spool => "--spool",
        Means::SslCa => "--ssl-ca",
        Means::SslCert => "--ssl-cert",
        Means::SslKey => "--ssl-key",
        Means::SslMode => "--ssl-mode",
        Means::Table => "--table",
        Means::Target => "--target",
        Means::ThreadId => "--thread-id",
        Means::Type => "--type",
        Means::Until => "--until",
        Means::Xid => "--xid",
        Means::Apply => "apply",
        Means::Capture => "binsync capture",
        Means::Import => "binsync import",
        Means::Log => "binsync log",
        Means::RunsForget => "binsync runs forget",
        Means::SchemaAdd => "binsync schema add --from",
        Means::SchemaShow => "binsync schema show",
        Means::SpoolForget => "binsync spool forget",
        Means::SpoolLs => "binsync spool ls",
        Means::SpoolPrune => "binsync spool prune",
        Means::SpoolRepair => "binsync spool repair",
        Means::SpoolReindex => "binsync spool reindex",
        Means::SpoolVerify => "binsync spool verify",
        Means::Stats => "binsync stats",
        Means::Status => "binsync status",
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use crate::cli::Cli;

    #[test]
    fn every_flag_that_is_advised_is_one_of_a_command() {
        let mut commands = vec![Cli::command()];
        let mut flags = Vec::new();
        while let Some(command) = commands.pop() {
            let long = command.get_arguments().filter_map(|argument| argument.get_long());
            flags.extend(long.map(|flag| format!("--{flag}")));
            commands.extend(command.get_subcommands().cloned());
        }
        let advised = include_str!("words.rs").split(" => \"--").skip(1);
        let advised: Vec<_> =
            advised.filter_map(|rest| Some(format!("--{}", rest.split_once('"')?.0))).collect();
        assert!(advised.len() > 30, "{advised:?}");
        let wrong: Vec<_> = advised.iter().filter(|flag| !flags.contains(flag)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
