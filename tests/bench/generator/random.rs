//! The dice: the same for every run.

use super::{Keys, Row, Workload};

pub(super) struct Random {
    state: u64,
    rows: usize,
    keys: Keys,
}

impl Random {
    pub(super) fn new(workload: Workload) -> Random {
        Random { state: 0x00C0_FFEE, rows: workload.rows, keys: workload.keys }
    }

    /// xorshift64*
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A table's number and the place of one of its rows.
    pub(super) fn pick(&mut self, tables: &[Vec<Row>]) -> (usize, usize) {
        let table = self.below(tables.len());
        let place = match self.keys {
            Keys::Hot => self.hot_id() - 1,
            Keys::Uniform => self.below(tables[table].len()),
        };
        (table + 1, place)
    }

    /// Three in four ids lie in one hundredth of the range, around its middle.
    fn hot_id(&mut self) -> usize {
        if self.below(4) < 3 {
            return self.rows / 2 - self.rows / 200 + self.below(self.rows / 100);
        }
        (0..12).map(|_| self.below(self.rows)).sum::<usize>() / 12 + 1
    }

    fn digits(&mut self, groups: usize) -> String {
        let group = |random: &mut Random| format!("{:011}", random.next() % 100_000_000_000);
        (0..groups).map(|_| group(self)).collect::<Vec<_>>().join("-")
    }

    pub(super) fn c(&mut self) -> String {
        self.digits(10)
    }

    pub(super) fn row(&mut self, id: usize) -> Row {
        let k = self.below(self.rows) + 1;
        Row { id, k, c: self.c(), pad: self.digits(5) }
    }
}
