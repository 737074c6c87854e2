//! A table of the file, read strictly: what is not known is a mistake, and so is what has another
//! type.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::{Mistakes, meant};

/// The keys of a table.
pub(super) struct Keys<'c, 't> {
    pub(super) path: String,
    /// Where the table is named.
    pub(super) at: usize,
    table: &'c DeTable<'t>,
}

/// A key and what stands behind it.
pub(super) struct Entry<'c, 't> {
    pub(super) path: String,
    /// The key alone.
    pub(super) name: String,
    /// Where the key stands.
    pub(super) at: usize,
    value: &'c Spanned<DeValue<'t>>,
}

/// A text or a whole number, with where it stands.
pub(super) type Found = (usize, String);

impl<'c, 't> Keys<'c, 't> {
    /// The whole file.
    pub(super) fn root(table: &'c DeTable<'t>) -> Self {
        Self { path: String::new(), at: 0, table }
    }

    /// All keys, in the order of the file.
    pub(super) fn entries(&self) -> Vec<Entry<'c, 't>> {
        let entry = |(key, value): (&'c Spanned<_>, &'c Spanned<DeValue<'t>>)| {
            let name: &std::borrow::Cow<'_, str> = key.get_ref();
            Entry { path: self.of(name), name: name.to_string(), at: key.span().start, value }
        };
        let mut all: Vec<Entry<'c, 't>> = self.table.iter().map(entry).collect();
        all.sort_by_key(|entry| entry.at);
        all
    }

    /// The entries of a table that has these keys and no other.
    pub(super) fn known(&self, known: &[&str], mistakes: &mut Mistakes<'_>) -> Vec<Entry<'c, 't>> {
        let (fine, unknown): (Vec<_>, Vec<_>) =
            self.entries().into_iter().partition(|entry| known.contains(&&*entry.name));
        for Entry { path, name, at, .. } in unknown {
            let meant = meant(&name, known.iter().copied());
            mistakes.add(at, format!("{path}: there is no such key; {meant}"));
        }
        fine
    }

    /// The path of a key of this table.
    pub(super) fn of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Says that a key is missing.
    pub(super) fn missing(&self, key: &str, mistakes: &mut Mistakes<'_>) {
        mistakes.add(self.at, format!("{}: is missing", self.of(key)));
    }
}

impl<'c, 't> Entry<'c, 't> {
    /// Where the value stands.
    pub(super) fn value_at(&self) -> usize {
        self.value.span().start
    }

    fn wrong(&self, wanted: &str, mistakes: &mut Mistakes<'_>) {
        let is = match self.value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        mistakes.add(self.value_at(), format!("{}: is {is}, and has to be {wanted}", self.path));
    }

    /// A text.
    pub(super) fn text(&self, mistakes: &mut Mistakes<'_>) -> Option<String> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong("a text", mistakes);
                None
            }
        }
    }

    /// True or false.
    pub(super) fn flag(&self, mistakes: &mut Mistakes<'_>) -> Option<bool> {
        match self.value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                self.wrong("true or false", mistakes);
                None
            }
        }
    }

    /// A text or a whole number, as text.
    pub(super) fn scalar(&self, mistakes: &mut Mistakes<'_>) -> Option<String> {
        match self.value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(_) => self.integer(mistakes).map(|n| n.to_string()),
            _ => {
                self.wrong("a text or a whole number", mistakes);
                None
            }
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, mistakes: &mut Mistakes<'_>) -> Option<i128> {
        let number = match self.value.get_ref() {
            DeValue::Integer(n) => i128::from_str_radix(n.as_str(), n.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong("a whole number", mistakes);
        }
        number
    }

    /// A text or a whole number as a JSON token.
    pub(super) fn token(&self, mistakes: &mut Mistakes<'_>) -> Option<String> {
        let scalar = self.scalar(mistakes)?;
        Some(match self.value.get_ref() {
            DeValue::String(_) => serde_json::Value::String(scalar).to_string(),
            _ => scalar,
        })
    }

    /// The entries of a list.
    pub(super) fn items(&self, mistakes: &mut Mistakes<'_>) -> Option<Vec<Entry<'c, 't>>> {
        let DeValue::Array(list) = self.value.get_ref() else {
            self.wrong("a list", mistakes);
            return None;
        };
        let item = |value: &'c Spanned<DeValue<'t>>| Entry {
            path: self.path.clone(),
            name: self.name.clone(),
            at: value.span().start,
            value,
        };
        Some(list.iter().map(item).collect())
    }

    /// A list of texts.
    pub(super) fn texts(&self, mistakes: &mut Mistakes<'_>) -> Option<Vec<Found>> {
        let items = self.items(mistakes)?;
        let texts = items.iter().map(|item| Some((item.at, item.text(mistakes)?)));
        texts.collect()
    }

    /// A list of texts and whole numbers.
    pub(super) fn scalars(&self, mistakes: &mut Mistakes<'_>) -> Option<Vec<Found>> {
        let items = self.items(mistakes)?;
        let scalars = items.iter().map(|item| Some((item.at, item.scalar(mistakes)?)));
        scalars.collect()
    }

    /// True for a table.
    pub(super) fn is_table(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Table(_))
    }

    /// The keys of a table.
    pub(super) fn keys(&self, mistakes: &mut Mistakes<'_>) -> Option<Keys<'c, 't>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Some(Keys { path: self.path.clone(), at: self.at, table }),
            _ => {
                self.wrong("a table", mistakes);
                None
            }
        }
    }
}
