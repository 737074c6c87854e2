//! What is said of an error, where what a user can set or run is named by its kind: whoever shows it
//! words that, as a flag, a line of a file, or a button.

use std::ops::Add;

use super::Means;

/// A text with means in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Means(Means),
}

impl Words {
    /// The text, the means in it worded by `word`.
    pub fn worded(&self, word: impl Fn(Means) -> String) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Means(means) => word(*means),
        });
        pieces.collect()
    }

    /// The text, the means in it by their names here: for what knows none.
    pub fn plain(&self) -> String {
        self.worded(|means| format!("{means:?}"))
    }

    /// Texts one after the other.
    pub fn joined(texts: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let mut texts = texts.into_iter();
        let first = texts.next().unwrap_or(Self(Vec::new()));
        texts.fold(first, |all, next| all + between + next)
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self(vec![Piece::Text(text)])
    }
}

/// The text with the means in the place of each `{}`.
impl<const N: usize> From<(&str, [Means; N])> for Words {
    fn from((text, means): (&str, [Means; N])) -> Self {
        debug_assert_eq!(text.matches("{}").count(), N, "{text}");
        let mut parts = text.split("{}");
        let first = Self::from(parts.next().unwrap_or_default());
        means.into_iter().zip(parts).fold(first, |all, (means, part)| all + means + part)
    }
}

impl From<Means> for Words {
    fn from(means: Means) -> Self {
        Self(vec![Piece::Means(means)])
    }
}

impl<T: Into<Words>> Add<T> for Words {
    type Output = Self;

    fn add(mut self, next: T) -> Self {
        self.0.extend(next.into().0);
        self
    }
}

impl<T: Into<Words>> Add<T> for Means {
    type Output = Words;

    fn add(self, next: T) -> Words {
        Words::from(self) + next
    }
}

impl Add<Means> for &str {
    type Output = Words;

    fn add(self, means: Means) -> Words {
        Words::from(self) + means
    }
}
