//! What is in doubt.

use super::{
    super::{
        doubts::{Begun, Doubts},
        record::Change,
    },
    Table,
};

impl Table {
    /// From now until [settled](Self::settle), entries with these targets are refused.
    pub(in crate::log) fn doubt_all(&mut self, changes: &[Change]) {
        self.in_doubt.add(changes);
    }

    /// The log now says itself what [`doubt_all`](Self::doubt_all) said for it.
    pub(in crate::log) fn settle(&mut self, changes: &[Change]) {
        self.in_doubt.settle(changes);
    }

    /// What is in doubt. A doubt of this process begins here before its record stands.
    pub(in crate::log) fn doubts(&mut self) -> &mut Doubts {
        &mut self.in_doubt
    }

    pub(in crate::log) fn has_room_for(&self, begun: &Begun) -> bool {
        self.in_doubt.has_room_for(begun)
    }

    /// Whether a change is announced that may be committed any moment.
    pub(in crate::log) fn is_announced(&self) -> bool {
        self.in_doubt.open().next().is_some()
    }

    /// The doubts that end by a record.
    pub(in crate::log) fn open_doubts(&self) -> impl Iterator<Item = &Begun> {
        self.in_doubt.open()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Verdict,
            fixture::{append, hard, tag},
        },
        *,
    };

    #[test]
    fn what_is_in_doubt_is_refused_until_it_is_settled() {
        let mut table = Table::new(8);
        let stamp = append(&mut table, 1, vec![]);
        table.doubt_all(&[hard(tag(1))]);
        table.doubt_all(&[hard(tag(1))]);
        table.settle(&[hard(tag(1))]);
        assert_eq!(table.verdict(stamp, &[tag(1)]), Verdict::Invalid);
        table.settle(&[hard(tag(1))]);
        assert_eq!(table.verdict(stamp, &[tag(1)]), Verdict::Valid);
    }
}
