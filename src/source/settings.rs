//! Settings of a source that its stream suffers from: what the producer then does not send, or
//! sends otherwise, nobody behind it can see.

use std::collections::HashMap;

use mysql::prelude::Queryable;
use mysql::{Conn, Result as Sql};

/// What is wrong about the source's settings for a stream of its changes, a sentence each; none
/// where all is as it should be.
pub(super) fn faults(conn: &mut Conn) -> Sql<Vec<String>> {
    let rows: Vec<(String, String)> = conn.query(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', \
         'binlog_row_image', 'binlog_row_value_options', 'binlog_transaction_compression', \
         'log_bin_compress', 'binlog_order_commits', 'sql_mode', \
         'explicit_defaults_for_timestamp')",
    )?;
    Ok(found(&rows.into_iter().collect()))
}

fn found(settings: &HashMap<String, String>) -> Vec<String> {
    let of = |name: &str| settings.get(name).map(String::as_str).unwrap_or_default();
    let is = |name: &str, value: &str| of(name).eq_ignore_ascii_case(value);
    let on = |name: &str| is(name, "ON") || is(name, "1");
    let mode = |word: &str| of("sql_mode").split(',').any(|mode| mode.eq_ignore_ascii_case(word));
    let format = of("binlog_format");
    let image = of("binlog_row_image");
    [
        (is("log_bin", "OFF"), "log_bin=OFF: it writes no binlog".to_owned()),
        (
            !format.is_empty() && !is("binlog_format", "ROW"),
            format!(
                "binlog_format={format}: what is logged as a statement brings no rows; set it to ROW"
            ),
        ),
        (
            !image.is_empty() && !is("binlog_row_image", "FULL"),
            format!(
                "binlog_row_image={image}: rows arrive without some of their columns, and cannot be \
                 taken back; set it to FULL"
            ),
        ),
        (
            of("binlog_row_value_options").to_uppercase().contains("PARTIAL_JSON"),
            "binlog_row_value_options=PARTIAL_JSON: changes inside JSON values are lost; set it to ''"
                .to_owned(),
        ),
        (
            on("log_bin_compress"),
            "log_bin_compress=ON: compressed rows are lost; set it to OFF".to_owned(),
        ),
        (
            on("binlog_transaction_compression"),
            "binlog_transaction_compression=ON: an older producer passes over whole transactions; \
             set it to OFF"
                .to_owned(),
        ),
        (
            is("binlog_order_commits", "OFF"),
            "binlog_order_commits=OFF: the binlog's order may be another than that of the commits; \
             set it to ON"
                .to_owned(),
        ),
        (
            mode("ANSI_QUOTES") || mode("NO_BACKSLASH_ESCAPES") || mode("PIPES_AS_CONCAT"),
            format!(
                "sql_mode={}: statements that change definitions may read otherwise at the target, \
                 whose session has the usual quotes and escapes",
                of("sql_mode")
            ),
        ),
        (
            mode("ALLOW_INVALID_DATES"),
            "sql_mode has ALLOW_INVALID_DATES: a date as 2024-02-30 may arrive as 2024-03-01"
                .to_owned(),
        ),
        (
            is("explicit_defaults_for_timestamp", "OFF"),
            "explicit_defaults_for_timestamp=OFF: a TIMESTAMP without NULL gets other attributes at \
             a target where it is ON"
                .to_owned(),
        ),
    ]
    .into_iter()
    .filter_map(|(fault, words)| fault.then_some(words))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::found;

    fn of(settings: &[(&str, &str)]) -> Vec<String> {
        found(&settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn only_what_the_stream_suffers_from_is_named() {
        let good = [
            ("log_bin", "ON"),
            ("binlog_format", "ROW"),
            ("binlog_row_image", "FULL"),
            ("binlog_row_value_options", ""),
            ("log_bin_compress", "OFF"),
            ("binlog_order_commits", "ON"),
            ("sql_mode", "STRICT_TRANS_TABLES"),
        ];
        assert_eq!(of(&good), [""; 0]);
        assert_eq!(of(&[]), [""; 0]);
        for (name, value) in [
            ("log_bin", "OFF"),
            ("binlog_format", "MIXED"),
            ("binlog_row_image", "MINIMAL"),
            ("binlog_row_value_options", "PARTIAL_JSON"),
            ("log_bin_compress", "ON"),
            ("binlog_transaction_compression", "ON"),
            ("binlog_order_commits", "OFF"),
            ("sql_mode", "STRICT_TRANS_TABLES,ANSI_QUOTES"),
            ("sql_mode", "ALLOW_INVALID_DATES"),
        ] {
            let faults = of(&[(name, value)]);
            assert_eq!(faults.len(), 1, "{name}");
            assert!(
                faults[0].contains(name)
                    && faults[0].contains(value.rsplit(',').next().unwrap_or_default()),
                "{faults:?}"
            );
        }
    }
}
