//! A definition as the producer describes it in the messages about statements.

use super::json;
use crate::event::def::{Column, Kind, TableDef};

/// Writes a definition as a field of a message.
pub(super) fn field(out: &mut String, name: &str, def: &TableDef) {
    out.push_str(&format!(",\"{name}\":{{\"database\":"));
    json::string(out, &def.database);
    if let Some(charset) = &def.charset {
        out.push_str(",\"charset\":");
        json::string(out, charset);
    }
    out.push_str(",\"table\":");
    json::string(out, &def.table);
    out.push_str(",\"primary-key\":");
    list(out, &def.primary_key);
    out.push_str(",\"columns\":[");
    for (n, one) in def.columns.iter().enumerate() {
        out.push_str(if n > 0 { "," } else { "" });
        column(out, one);
    }
    out.push_str("]}");
}

fn column(out: &mut String, column: &Column) {
    out.push_str("{\"type\":");
    json::string(out, &column.type_name);
    out.push_str(",\"name\":");
    json::string(out, &column.name);
    match column.kind {
        Kind::Integer => out.push_str(&format!(",\"signed\":{}", !column.unsigned)),
        Kind::Text => {
            if let Some(charset) = &column.charset {
                out.push_str(",\"charset\":");
                json::string(out, charset);
            }
        }
        Kind::Binary => out.push_str(",\"charset\":\"binary\""),
        Kind::Temporal if column.type_name != "date" => {
            out.push_str(&format!(",\"column-length\":{}", column.digits(0).unwrap_or(0)));
        }
        Kind::Enum | Kind::Set => {
            out.push_str(",\"enum-values\":");
            list(out, &column.arguments);
        }
        _ => {}
    }
    out.push('}');
}

fn list(out: &mut String, texts: &[String]) {
    out.push('[');
    for (n, text) in texts.iter().enumerate() {
        out.push_str(if n > 0 { "," } else { "" });
        json::string(out, text);
    }
    out.push(']');
}
