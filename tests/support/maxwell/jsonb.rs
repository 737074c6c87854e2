//! MySQL's binary JSON as the producer prints it: compact, in the order of the bytes.

use super::{numbers::double, text::list};
use mysql_common::{binlog::jsonb::Value, io::ParseBuf, proto::MyDeserialize};

pub(super) fn text(bytes: &[u8]) -> String {
    assert!(!bytes.is_empty(), "an empty JSON value");
    print(&Value::deserialize((), &mut ParseBuf(bytes)).unwrap())
}

fn print(value: &Value<'_>) -> String {
    let string = |text: &str| serde_json::to_string(text).unwrap();
    let pair = |key: &str, value: &Value<'_>| format!("{}:{}", string(key), print(value));
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::I16(value) => value.to_string(),
        Value::U16(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F64(value) => double(*value),
        Value::String(text) => string(&text.str()),
        Value::SmallArray(all) => format!("[{}]", list(all.iter().map(|one| print(&one.unwrap())))),
        Value::LargeArray(all) => format!("[{}]", list(all.iter().map(|one| print(&one.unwrap())))),
        Value::SmallObject(all) => {
            let fields = all.iter().map(|one| one.unwrap());
            format!("{{{}}}", list(fields.map(|(key, value)| pair(&key.value(), &value))))
        }
        Value::LargeObject(all) => {
            let fields = all.iter().map(|one| one.unwrap());
            format!("{{{}}}", list(fields.map(|(key, value)| pair(&key.value(), &value))))
        }
        Value::Opaque(_) => panic!("the tests' producer does not know opaque values in JSON"),
    }
}
