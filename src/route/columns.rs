//! What becomes of a table's columns on the way.

/// Rules for columns. Names on the left are those of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// Columns that have another name at the target.
    pub rename: Vec<(String, String)>,
    /// Columns that are left out.
    pub drop: Vec<String>,
    /// What stands in the place of NULL in a column.
    pub null: Vec<(String, Token)>,
    /// Columns of the target that the stream does not have, and what they get; `{source}` in a text
    /// is the name of the source.
    pub set: Vec<(String, Token)>,
}

/// A value as a JSON token. It is read once and kept as long as the process lives, since the images of
/// rows borrow it.
pub type Token = &'static str;

/// Keeps a token.
pub fn token(text: String) -> Token {
    Box::leak(text.into_boxed_str())
}

impl Columns {
    /// True when nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The rules in words, the same for the same rules.
    pub(super) fn words(&self) -> String {
        let rename = self.rename.iter().map(|(from, to)| format!("rename {from:?} {to:?}"));
        let drop = self.drop.iter().map(|column| format!("drop {column:?}"));
        let null = self.null.iter().map(|(column, value)| format!("null {column:?} {value}"));
        let set = self.set.iter().map(|(column, value)| format!("set {column:?} {value}"));
        let mut words: Vec<String> = rename.chain(drop).chain(null).chain(set).collect();
        words.sort();
        words.join(",")
    }

    /// The same for a source.
    #[must_use]
    pub(super) fn of_source(mut self, source: &str) -> Self {
        for (_, value) in &mut self.set {
            if value.contains("{source}") {
                *value = token(value.replace("{source}", source));
            }
        }
        self
    }
}
