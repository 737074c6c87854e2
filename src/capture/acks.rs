//! Which stored records of a queue the broker has confirmed to be acknowledged.

use std::collections::VecDeque;

use crate::spool::Seq;

/// The acks of a session, and how far those of all have arrived.
#[derive(Debug, Default)]
pub(super) struct Acks {
    session: u32,
    /// Last tag of each ack, and the sequence behind the records it stands for.
    sent: VecDeque<(u64, Seq)>,
    /// Tags up to here may be of records stored before the session.
    unsettled: u64,
    known: Option<Seq>,
}

impl Acks {
    /// Begins a session: tags begin anew, and up to so many of them may stand for records that
    /// were stored before. An ack of some of those says nothing of the others.
    pub(super) fn begin(&mut self, session: u32, unsettled: usize) {
        (self.session, self.unsettled) = (session, unsettled as u64);
        self.sent.clear();
    }

    /// The records before `end` are acknowledged with this tag.
    pub(super) fn sent(&mut self, tag: u64, end: Seq) {
        self.sent.push_back((tag, end));
    }

    /// The broker has taken the ack of this tag.
    pub(super) fn arrived(&mut self, session: u32, tag: u64) {
        if session != self.session {
            return;
        }
        while let Some(&(sent, end)) = self.sent.front().filter(|(sent, _)| *sent <= tag) {
            self.sent.pop_front();
            if sent >= self.unsettled {
                self.known = Some(end);
            }
        }
    }

    /// The sequence before which all is acknowledged, if that is known.
    pub(super) fn known(&self) -> Option<Seq> {
        self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_is_known_when_it_has_arrived_in_its_own_session() {
        let mut acks = Acks::default();
        acks.begin(1, 0);
        acks.sent(10, 11);
        acks.sent(20, 21);
        assert_eq!(acks.known(), None);
        acks.arrived(1, 10);
        assert_eq!(acks.known(), Some(11));
        acks.begin(2, 5);
        acks.arrived(1, 20);
        acks.sent(4, 25);
        acks.arrived(2, 4);
        assert_eq!(acks.known(), Some(11), "four of five that may be stored twice");
        acks.sent(6, 27);
        acks.arrived(2, 6);
        assert_eq!(acks.known(), Some(27));
    }
}
