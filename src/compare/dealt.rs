//! Which rows of the source go to a place, as a condition. Pure.

use crate::error::{Error, Result};
use crate::event::TableName;
use crate::event::def::{Column, Kind, TableDef};
use crate::route::shard::{By, Shard, Way};
use crate::sql::{Dialect, quote};

/// The condition for the rows that go to the place of that number; those that would stop a run are
/// none of them.
///
/// # Errors
/// When a server would not tell the rows apart as the stream does, as a stop.
pub(super) fn condition(def: &TableDef, shard: &Shard, place: usize) -> Result<String> {
    let column = def.column(&shard.column).filter(|column| fits(column, shard));
    let column = column.ok_or_else(|| unfit(&def.name(), shard))?;
    let mut name = String::new();
    quote::identifier(&mut name, Dialect::Mysql, &column.name);
    let here = |way: Way| match way {
        Way::Everywhere => true,
        Way::Place(n) => n == place,
        Way::Stop | Way::Nowhere => false,
    };
    let Shard { by, places, all, none, null, others, .. } = shard;
    let mut cases = vec![case(&format!("{name} IS NULL"), here(*null))];
    let single = [(all.iter().collect::<Vec<_>>(), true), (none.iter().collect(), false)];
    for (values, here) in single {
        cases.extend(among(column, &name, &values).map(|rows| case(&rows, here)));
    }
    match by {
        By::Modulo => {
            cases.push(case(&format!("MOD(MOD({name},{places})+{places},{places})={place}"), true));
        }
        By::Ranges(ranges) => cases.extend(ranges.iter().map(|(from, to, n)| {
            let from = from.map(|from| format!("{name}>={from}"));
            let to = to.map(|to| format!("{name}<{to}"));
            let bounds: Vec<String> = from.into_iter().chain(to).collect();
            let rows = if bounds.is_empty() { "1".to_owned() } else { bounds.join(" AND ") };
            case(&rows, *n == place)
        })),
        By::Values(values) => {
            for here in [true, false] {
                let mut of: Vec<&String> =
                    values.iter().filter(|(_, n)| (**n == place) == here).map(|(v, _)| v).collect();
                of.sort();
                cases.extend(among(column, &name, &of).map(|rows| case(&rows, here)));
            }
        }
    }
    Ok(format!("CASE {} ELSE {} END", cases.join(" "), u8::from(here(*others))))
}

fn case(rows: &str, here: bool) -> String {
    format!("WHEN {rows} THEN {}", u8::from(here))
}

/// The rows with one of these values; `None`: none can have one.
fn among(column: &Column, name: &str, values: &[&String]) -> Option<String> {
    let integer = column.kind == Kind::Integer;
    let literal = |value: &&String| {
        let number = value.parse::<i128>().ok().map(|number| number.to_string());
        if integer {
            return number;
        }
        let mut out = String::new();
        quote::bytes(&mut out, value.as_bytes());
        Some(out)
    };
    let literals: Vec<String> = values.iter().filter_map(literal).collect();
    let text = format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY)");
    let of = if integer { name } else { &text };
    (!literals.is_empty()).then(|| format!("{of} IN ({})", literals.join(",")))
}

/// True for integers, and for texts that are dealt out one by one.
fn fits(column: &Column, shard: &Shard) -> bool {
    match column.kind {
        Kind::Integer => true,
        Kind::Text | Kind::Enum => matches!(shard.by, By::Values(_)),
        _ => false,
    }
}

fn unfit(name: &TableName, shard: &Shard) -> Error {
    Error::stopped(format!(
        "{name}: a query does not tell by {:?} which of its rows go where",
        shard.column
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(by: By) -> Shard {
        Shard {
            column: "corp".to_owned(),
            by,
            places: 4,
            all: vec!["0".to_owned()],
            none: vec!["8".to_owned(), "x".to_owned()],
            null: Way::Place(1),
            without: Way::Stop,
            others: Way::Everywhere,
        }
    }

    fn of(kind: &str, by: By) -> Result<String> {
        let def = format!(
            r#"{{"database":"c","table":"t","primary-key":[],"columns":[{{"type":"{kind}","name":"Corp","charset":"utf8"}}]}}"#
        );
        condition(&TableDef::parse(&def).expect("a definition"), &shard(by), 1)
    }

    #[test]
    fn rows_are_told_by_a_query_as_by_the_stream() {
        let begin =
            "CASE WHEN `Corp` IS NULL THEN 1 WHEN `Corp` IN (0) THEN 1 WHEN `Corp` IN (8) THEN 0";
        assert_eq!(
            of("int", By::Modulo).expect("a condition"),
            format!("{begin} WHEN MOD(MOD(`Corp`,4)+4,4)=1 THEN 1 ELSE 1 END")
        );
        let ranges = vec![(None, Some(-5), 0), (Some(-5), Some(9), 1)];
        assert_eq!(
            of("int", By::Ranges(ranges)).expect("a condition"),
            format!("{begin} WHEN `Corp`<-5 THEN 0 WHEN `Corp`>=-5 AND `Corp`<9 THEN 1 ELSE 1 END")
        );
        let values = || By::Values([("a'".to_owned(), 1), ("b".to_owned(), 0)].into());
        let text = of("varchar", values()).expect("a condition");
        let exact = "CAST(CONVERT(`Corp` USING utf8mb4) AS BINARY)";
        assert!(
            text.contains(&format!(
                "WHEN {exact} IN (X'6127') THEN 1 WHEN {exact} IN (X'62') THEN 0"
            )),
            "{text}"
        );
        assert!(of("varchar", By::Modulo).is_err() && of("double", values()).is_err());
    }
}
