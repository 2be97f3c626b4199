//! What the table says of an entry.

use super::{super::target::Target, Stamp, Table};

/// What the log says about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing it depends on was invalidated since its fetch began.
    Valid,
    /// Something was, softly: it may serve as a stale answer.
    Soft,
    /// Something was, or nobody can tell any more: it must not be used.
    Invalid,
}

impl Verdict {
    /// The stricter of two.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Invalid, _) | (_, Self::Invalid) => Self::Invalid,
            (Self::Soft, _) | (_, Self::Soft) => Self::Soft,
            (Self::Valid, Self::Valid) => Self::Valid,
        }
    }
}

impl Table {
    /// Judges an entry by its stamp and what it depends on.
    pub(in crate::log) fn verdict(&self, stamp: Stamp, targets: &[Target]) -> Verdict {
        if !self.can_judge(stamp) {
            return Verdict::Invalid;
        }
        let mut verdict = self
            .invalidated
            .everything()
            .verdict(stamp.position)
            .or(self.in_doubt.verdict(Target::EVERYTHING));
        for target in targets {
            if verdict == Verdict::Invalid {
                break;
            }
            verdict = verdict
                .or(self.invalidated.last(*target).verdict(stamp.position))
                .or(self.in_doubt.verdict(*target));
        }
        verdict
    }

    /// Whether since `before` the one record at `at` was all that hit these targets, once each; and
    /// nothing has since.
    pub(in crate::log) fn only_hit_at(&self, before: Stamp, at: Stamp, targets: &[Target]) -> bool {
        let is_only_hit = |target: &Target| {
            let last = self.invalidated.last(*target);
            last.hard == at.position
                && last.hard_before <= before.position
                && last.soft <= before.position
        };
        before.epoch == at.epoch
            && self.verdict(before, &[]) == Verdict::Valid
            && targets.iter().all(is_only_hit)
    }

    /// Before any record was seen, all that is known is what this process invalidated itself; nothing
    /// that is stored is used in that state, but those who wait for one fetch are answered together.
    pub(super) fn can_judge(&self, stamp: Stamp) -> bool {
        !self.is_relearning
            && stamp.epoch == self.stamp().epoch
            && stamp.position >= self.invalidated.floor()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::{record::Change, target::Mode},
            fixture::{append, hard, tag},
        },
        *,
    };

    #[test]
    fn a_fetch_that_began_before_an_invalidation_is_refused_and_one_after_is_not() {
        let mut table = Table::new(8);
        let before = append(&mut table, 1, vec![]);
        let after = append(&mut table, 1, vec![hard(tag(1))]);
        assert_eq!(table.verdict(before, &[tag(1)]), Verdict::Invalid);
        assert_eq!(table.verdict(before, &[tag(2)]), Verdict::Valid);
        assert_eq!(table.verdict(after, &[tag(2), tag(1)]), Verdict::Valid);
    }

    #[test]
    fn soft_leaves_the_entry_stale_and_hard_wins() {
        let mut table = Table::new(8);
        let stamp = append(&mut table, 1, vec![]);
        let soft = Change {
            target: tag(1),
            mode: Mode::Soft,
        };
        append(&mut table, 1, vec![soft]);
        assert_eq!(table.verdict(stamp, &[tag(1)]), Verdict::Soft);
        append(&mut table, 1, vec![hard(Target::EVERYTHING)]);
        assert_eq!(table.verdict(stamp, &[tag(1)]), Verdict::Invalid);
    }

    #[test]
    fn who_reads_the_log_anew_judges_nothing_before_its_end() {
        let mut table = Table::new(8);
        let ended = append(&mut table, 1, vec![]);
        append(&mut table, 2, vec![]);
        let checkpoint = table.checkpoint();
        let before = append(&mut table, 2, vec![]);
        append(&mut table, 2, vec![hard(tag(1))]);
        let mut from_the_start = table.clone();
        from_the_start.forget();
        append(&mut from_the_start, 1, vec![]);
        assert_eq!(from_the_start.verdict(ended, &[tag(1)]), Verdict::Invalid);
        table.forget();
        table.restore(&checkpoint);
        append(&mut table, 2, vec![]);
        assert_eq!(table.verdict(before, &[tag(1)]), Verdict::Invalid);
        append(&mut table, 2, vec![hard(tag(1))]);
        table.learned();
        assert_eq!(table.verdict(before, &[tag(1)]), Verdict::Invalid);
        assert_eq!(table.verdict(before, &[tag(2)]), Verdict::Valid);
    }

    #[test]
    fn a_writer_knows_whether_it_was_the_only_one() {
        let mut table = Table::new(8);
        let before = append(&mut table, 1, vec![]);
        let ours = append(&mut table, 1, vec![hard(tag(1)), hard(tag(2))]);
        assert!(table.only_hit_at(before, ours, &[tag(1), tag(2)]));
        assert!(
            !table.only_hit_at(before, ours, &[tag(3)]),
            "not hit at all"
        );
        let theirs = append(&mut table, 1, vec![hard(tag(1))]);
        assert!(
            !table.only_hit_at(before, ours, &[tag(1)]),
            "hit again since"
        );
        assert!(
            !table.only_hit_at(before, theirs, &[tag(1)]),
            "hit before as well"
        );
        assert!(table.only_hit_at(ours, theirs, &[tag(1)]));
        let both = append(&mut table, 1, vec![hard(tag(2)), hard(tag(2))]);
        assert!(
            !table.only_hit_at(ours, both, &[tag(2)]),
            "two writers in one record"
        );
        let soft = Change {
            target: tag(3),
            mode: Mode::Soft,
        };
        let mixed = append(&mut table, 1, vec![soft, hard(tag(3))]);
        assert!(!table.only_hit_at(both, mixed, &[tag(3)]), "softly as well");
        let last = append(&mut table, 1, vec![hard(Target::EVERYTHING), hard(tag(4))]);
        assert!(
            !table.only_hit_at(mixed, last, &[tag(4)]),
            "with everything else"
        );
    }
}
