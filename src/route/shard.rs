//! Which of several places a row goes to, by the value of one of its columns.

use std::collections::HashMap;

use crate::event::row::Value;
use crate::event::typed;

/// How the rows of a table are dealt out to places, which have numbers from 0.
#[derive(Clone, Debug)]
pub struct Shard {
    /// The column of the stream.
    pub column: String,
    /// Which value goes where.
    pub by: By,
    /// How many places there are.
    pub places: usize,
    /// Rows with one of these values go to every place; as [`same`] has them.
    pub all: Vec<String>,
    /// Rows with one of these values go to no place.
    pub none: Vec<String>,
    /// Where NULL goes.
    pub null: Way,
    /// Where the rows of tables go that do not have the column.
    pub without: Way,
    /// Where a value goes that no place is told for.
    pub others: Way,
}

/// Which value goes where.
#[derive(Clone, Debug)]
pub enum By {
    /// The place is the rest of a division by the number of places; it is never negative.
    Modulo,
    /// Integers from the first to before the second, with the place; in order, and apart.
    Ranges(Vec<(Option<i128>, Option<i128>, usize)>),
    /// Single values, as [`same`] has them, with the place.
    Values(HashMap<String, usize>),
}

/// Where a row goes of which the value does not tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nobody said where: the run stops there.
    Stop,
    /// To no place.
    Nowhere,
    /// To every place.
    Everywhere,
    /// To this one.
    Place(usize),
}

/// The places of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// None.
    None,
    /// One.
    One(usize),
    /// All there are.
    All,
}

impl Places {
    /// True when the place is one of them.
    pub fn has(self, place: usize) -> bool {
        match self {
            Self::None => false,
            Self::One(one) => one == place,
            Self::All => true,
        }
    }
}

impl Way {
    /// The places that it leads to; `None` where the run has to stop.
    fn places(self) -> Option<Places> {
        Some(match self {
            Self::Stop => return None,
            Self::Nowhere => Places::None,
            Self::Everywhere => Places::All,
            Self::Place(place) => Places::One(place),
        })
    }
}

/// Why a row's places are not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The column is NULL.
    Null,
    /// The value is no integer.
    NoInteger,
    /// No place is told for the value.
    NoPlace,
}

impl Shard {
    /// True where a row whose value is NULL was told a place, or none.
    pub(super) fn takes_null(&self) -> bool {
        self.null != Way::Stop
    }

    /// The places of a row with this value.
    ///
    /// # Errors
    /// When none is told for it.
    pub fn places(&self, value: Value<'_>) -> Result<Places, Lost> {
        if value.is_null() {
            return self.null.places().ok_or(Lost::Null);
        }
        let text = same(value);
        if self.all.contains(&text) {
            return Ok(Places::All);
        }
        if self.none.contains(&text) {
            return Ok(Places::None);
        }
        let place = match &self.by {
            By::Values(values) => values.get(&text).copied(),
            By::Modulo => {
                let rest = integer(&text)?.rem_euclid(self.places as i128);
                Some(rest as usize)
            }
            By::Ranges(ranges) => {
                let value = integer(&text)?;
                let holds = |(from, to, _): &&(Option<i128>, Option<i128>, usize)| {
                    from.is_none_or(|from| from <= value) && to.is_none_or(|to| value < to)
                };
                ranges.iter().find(holds).map(|(.., place)| *place)
            }
        };
        match place {
            Some(place) => Ok(Places::One(place)),
            None => self.others.places().ok_or(Lost::NoPlace),
        }
    }

    /// The places of the rows of a table that does not have the column; `None` where nobody said.
    pub fn places_without(&self) -> Option<Places> {
        self.without.places()
    }
}

fn integer(text: &str) -> Result<i128, Lost> {
    text.parse().map_err(|_| Lost::NoInteger)
}

/// A value's text, the same for the same text and for numbers of the same worth.
pub fn same(value: Value<'_>) -> String {
    match value.string() {
        Some(text) => text.into_owned(),
        None => typed::number(value.0).unwrap_or_else(|| value.0.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(by: By, places: usize) -> Shard {
        Shard {
            column: "id".to_owned(),
            by,
            places,
            all: Vec::new(),
            none: Vec::new(),
            null: Way::Stop,
            without: Way::Stop,
            others: Way::Stop,
        }
    }

    #[test]
    fn the_rest_of_a_division_is_never_negative() {
        let by = shard(By::Modulo, 128);
        for (value, place) in [("0", 0), ("5", 5), ("128", 0), ("-5", 123), ("-128", 0)] {
            assert_eq!(by.places(Value(value)), Ok(Places::One(place)), "{value}");
        }
        let most = by.places(Value("18446744073709551615"));
        assert_eq!(most, Ok(Places::One(127)));
        assert_eq!(by.places(Value("\"12\"")), Ok(Places::One(12)), "digits in a text column");
        for value in ["1.5", "\"x\"", "true", "[1]", "\"\""] {
            assert_eq!(by.places(Value(value)), Err(Lost::NoInteger), "{value}");
        }
    }

    #[test]
    fn what_the_value_does_not_tell_goes_where_it_was_said() {
        let mut by = shard(By::Modulo, 4);
        assert_eq!(by.places(Value::NULL), Err(Lost::Null));
        assert_eq!(by.places_without(), None);
        (by.null, by.without) = (Way::Place(2), Way::Everywhere);
        (by.all, by.none) = (vec!["0".to_owned()], vec!["8".to_owned()]);
        assert_eq!(by.places(Value::NULL), Ok(Places::One(2)));
        assert_eq!(by.places_without(), Some(Places::All));
        assert_eq!(by.places(Value("0.0")), Ok(Places::All));
        assert_eq!(by.places(Value("8")), Ok(Places::None));
        assert_eq!(by.places(Value("4")), Ok(Places::One(0)));
    }

    #[test]
    fn ranges_and_values_have_an_end() {
        let ranges = vec![(None, Some(10), 0), (Some(10), Some(20), 1)];
        let mut by = shard(By::Ranges(ranges), 2);
        for (value, places) in [
            ("-3", Ok(Places::One(0))),
            ("10", Ok(Places::One(1))),
            ("19", Ok(Places::One(1))),
            ("20", Err(Lost::NoPlace)),
        ] {
            assert_eq!(by.places(Value(value)), places, "{value}");
        }
        by.others = Way::Nowhere;
        assert_eq!(by.places(Value("20")), Ok(Places::None));
        let values = HashMap::from([("de".to_owned(), 0), ("5".to_owned(), 1)]);
        let by = shard(By::Values(values), 2);
        assert_eq!(by.places(Value("\"de\"")), Ok(Places::One(0)));
        assert_eq!(by.places(Value("5.0")), Ok(Places::One(1)));
        assert_eq!(by.places(Value("\"DE\"")), Err(Lost::NoPlace), "case counts");
        assert!(Places::All.has(7) && !Places::None.has(0) && !Places::One(1).has(0));
    }
}
