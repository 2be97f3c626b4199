//! Whom a fetch may answer although what it brought was invalidated meanwhile.

use super::{
    super::target::Target, Moment, Table, last::Last, moment::ELSEWHERE, verdict::Verdict,
};

impl Table {
    /// Whether something whose fetch began at `fetched` and that depends on `targets` may answer who
    /// asked at `asked`, although it may have been invalidated since: what comes after a question need
    /// not be in its answer. In doubt, no.
    pub(in crate::log) fn may_answer(
        &self,
        fetched: Moment,
        asked: Moment,
        targets: &[Target],
    ) -> bool {
        let is_later = (fetched.generation, fetched.order) >= (asked.generation, asked.order);
        if fetched.generation != ELSEWHERE && is_later {
            // The fetch began after the question, or nothing came in between. (An announced change may be
            // committed in between without a sign: then only the order counts.)
            return true;
        }
        let fetched = fetched.stamp;
        if asked.in_doubt || asked.stamp.epoch != fetched.epoch {
            return self.verdict(fetched, targets) == Verdict::Valid;
        }
        let not_between = |last: Last| {
            let once_and_later =
                last.hard > asked.stamp.position && last.hard_before <= fetched.position;
            (last.hard <= fetched.position || once_and_later) && last.soft <= fetched.position
        };
        self.can_judge(fetched)
            && not_between(self.invalidated.everything())
            && targets
                .iter()
                .all(|target| not_between(self.invalidated.last(*target)))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::fixture::{append, hard, tag},
        *,
    };

    #[test]
    fn an_answer_need_not_know_what_came_after_its_question() {
        let mut table = Table::new(8);
        append(&mut table, 1, vec![]);
        let fetched = table.moment(0);
        append(&mut table, 1, vec![hard(tag(3))]);
        let early = table.moment(1);
        append(&mut table, 1, vec![hard(tag(1))]);
        let late = table.moment(2);
        let may_answer = |table: &Table, asked| table.may_answer(fetched, asked, &[tag(1)]);
        assert!(may_answer(&table, early), "asked before");
        assert!(!may_answer(&table, late), "asked after");
        assert!(table.may_answer(fetched, late, &[tag(2)]));
        append(&mut table, 1, vec![hard(tag(1))]);
        assert!(!may_answer(&table, late), "asked in between");
        assert!(!may_answer(&table, early), "nobody can tell any more");
        append(&mut table, 2, vec![]);
        assert!(!may_answer(&table, early), "nor after an epoch began");
        assert!(may_answer(&table, fetched), "nothing came in between");
        assert!(
            table.may_answer(late, early, &[tag(1)]),
            "fetched after the question"
        );
    }

    #[test]
    fn who_asks_while_something_is_in_doubt_is_answered_strictly() {
        let mut table = Table::new(8);
        append(&mut table, 1, vec![]);
        let fetched = table.moment(0);
        table.doubt_all(&[hard(tag(1))]);
        let asked = table.moment(1);
        append(&mut table, 1, vec![hard(tag(1))]);
        table.settle(&[hard(tag(1))]);
        assert!(!table.may_answer(fetched, asked, &[tag(1)]));
    }

    #[test]
    fn before_the_log_is_known_own_invalidations_count() {
        let mut table = Table::new(8);
        let fetched = table.moment(0);
        assert_eq!(table.verdict(fetched.stamp(), &[tag(1)]), Verdict::Valid);
        table.doubt_all(&[hard(tag(1))]);
        assert!(!table.may_answer(fetched, table.moment(1), &[tag(1)]));
        assert!(table.may_answer(fetched, table.moment(1), &[tag(2)]));
    }

    #[test]
    fn what_was_fetched_elsewhere_answers_who_asked_before_it_was_invalidated_and_no_later() {
        let mut table = Table::new(8);
        let unknowing = table.moment(0);
        let stamp = append(&mut table, 1, vec![]);
        let fetched = Moment::elsewhere(stamp);
        let before = table.moment(1);
        assert!(table.may_answer(fetched, unknowing, &[tag(1)]));
        append(&mut table, 1, vec![hard(tag(1))]);
        let after = table.moment(2);
        let may = |asked, tags: &[Target]| table.may_answer(fetched, asked, tags);
        assert!(may(before, &[tag(1)]));
        assert!(!may(after, &[tag(1)]) && may(after, &[tag(2)]));
        assert!(
            !may(unknowing, &[tag(1)]),
            "who knew nothing asked at no time"
        );
    }
}
