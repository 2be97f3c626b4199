//! The log, folded: for each target the last position at which it was invalidated.
//!
//! A pure state machine. Records go in, verdicts come out; no I/O, no clock.

use std::collections::{HashMap, VecDeque};

use super::{
    checkpoint::Checkpoint,
    doubts::{Begun, DoubtChange, Doubts},
    record::{Change, Record},
    summary::Summary,
    target::{ByTarget, Mode, Target},
};

/// The point of the log that a process had reached when a fetch began. An entry keeps it for life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Which life of the log; 0 if none was known yet.
    pub epoch: u64,
    /// The last record that had been applied.
    pub position: u64,
}

/// When somebody asked, as far as this process knew the log then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The table's generation: changes so far, doubts included.
    generation: u64,
    /// Which of those of one generation this is, while a change is announced; 0 otherwise.
    order: u64,
    stamp: Stamp,
    /// Something had been invalidated here that did not stand in the log yet.
    in_doubt: bool,
}

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

/// A record that does not continue what was applied: something is missing in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap;

#[derive(Clone, Debug)]
pub(super) struct Table {
    stamp: Stamp,
    nonce: u64,
    /// The nonces of the last records, the newest last.
    nonces: VecDeque<u64>,
    /// Entries stamped before this cannot be judged any more.
    floor: u64,
    everything: Last,
    targets: HashMap<Target, Last, ByTarget>,
    /// Targets in the order of their invalidation, the oldest first, with repetitions.
    order: VecDeque<(u64, Target)>,
    capacity: usize,
    /// Targets that had to make room.
    forgotten: Summary,
    /// Invalidated here and not yet known to stand in the log, or announced in the log as being changed.
    /// Outlives the epoch: what ends it is a record.
    in_doubt: Doubts,
    /// What was known was forgotten, and the end of the log has not been reached again.
    is_relearning: bool,
}

/// Last positions of one target; 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Last {
    pub(super) hard: u64,
    /// The hard one before, which is the same position if one record names the target twice.
    pub(super) hard_before: u64,
    pub(super) soft: u64,
}

impl Last {
    fn raise(&mut self, mode: Mode, position: u64) {
        match mode {
            Mode::Hard => {
                self.hard_before = self.hard;
                self.hard = position;
            }
            Mode::Soft => self.soft = self.soft.max(position),
        }
    }

    fn newest(self) -> u64 {
        self.hard.max(self.soft)
    }

    fn verdict(self, position: u64) -> Verdict {
        if self.hard > position {
            Verdict::Invalid
        } else if self.soft > position {
            Verdict::Soft
        } else {
            Verdict::Valid
        }
    }
}

impl Moment {
    /// When a fetch began that another process made: all that is known of it is where the log stood there.
    #[must_use]
    pub fn elsewhere(stamp: Stamp) -> Self {
        Self {
            generation: ELSEWHERE,
            order: 0,
            stamp,
            in_doubt: false,
        }
    }

    /// One that comes after all others of its generation so far.
    pub(super) fn in_order(self, order: u64) -> Self {
        Self { order, ..self }
    }

    /// The point of the log that had been reached.
    #[must_use]
    pub fn stamp(self) -> Stamp {
        self.stamp
    }
}

impl Table {
    /// A table of at most `capacity` targets.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            stamp: Stamp::default(),
            nonce: 0,
            nonces: VecDeque::new(),
            floor: 0,
            everything: Last::default(),
            targets: HashMap::default(),
            order: VecDeque::new(),
            capacity,
            forgotten: Summary::new(capacity.saturating_mul(SLOTS_PER_TARGET)),
            in_doubt: Doubts::default(),
            is_relearning: false,
        }
    }

    /// Where a fetch that begins now stands.
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Now, in this generation.
    pub(super) fn moment(&self, generation: u64) -> Moment {
        Moment {
            generation,
            order: 0,
            stamp: self.stamp,
            in_doubt: !self.in_doubt.is_empty(),
        }
    }

    /// The last applied record's nonce.
    pub(super) fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The nonce of a record that was applied, if that is not too long ago.
    pub(super) fn nonce_at(&self, position: u64) -> Option<u64> {
        let back = usize::try_from(self.stamp.position.checked_sub(position)?).ok()?;
        let index = self.nonces.len().checked_sub(back + 1)?;
        self.nonces.get(index).copied()
    }

    /// Judges an entry by its stamp and what it depends on.
    pub(super) fn verdict(&self, stamp: Stamp, targets: &[Target]) -> Verdict {
        if !self.can_judge(stamp) {
            return Verdict::Invalid;
        }
        let mut verdict = self
            .everything
            .verdict(stamp.position)
            .or(self.in_doubt.verdict(Target::EVERYTHING));
        for target in targets {
            if verdict == Verdict::Invalid {
                break;
            }
            verdict = verdict
                .or(self.last(*target).verdict(stamp.position))
                .or(self.in_doubt.verdict(*target));
        }
        verdict
    }

    /// Whether since `before` the one record at `at` was all that hit these targets, once each; and
    /// nothing has since.
    pub(super) fn only_hit_at(&self, before: Stamp, at: Stamp, targets: &[Target]) -> bool {
        let is_only_hit = |target: &Target| {
            let last = self.last(*target);
            last.hard == at.position
                && last.hard_before <= before.position
                && last.soft <= before.position
        };
        before.epoch == at.epoch
            && self.verdict(before, &[]) == Verdict::Valid
            && targets.iter().all(is_only_hit)
    }

    /// Whether something whose fetch began at `fetched` and that depends on `targets` may answer who
    /// asked at `asked`, although it may have been invalidated since: what comes after a question need
    /// not be in its answer. In doubt, no.
    pub(super) fn may_answer(&self, fetched: Moment, asked: Moment, targets: &[Target]) -> bool {
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
            && not_between(self.everything)
            && targets.iter().all(|target| not_between(self.last(*target)))
    }

    /// Takes the next record in. One that was taken in already changes nothing: it may come by two ways.
    /// (Should it be another one at that place, the next record or heartbeat shows it.)
    ///
    /// # Errors
    ///
    /// [`Gap`] if it does not follow the last one. Nothing changed then.
    pub(super) fn apply(&mut self, record: &Record) -> Result<(), Gap> {
        if record.epoch != self.stamp.epoch {
            self.begin_epoch(record);
        } else if self.has_taken(record) {
            return Ok(());
        } else if record.position != self.stamp.position + 1 || record.previous != self.nonce {
            return Err(Gap);
        }
        self.stamp.position = record.position;
        self.remember(record.nonce);
        for change in &record.content.changes {
            self.raise(*change, record.position);
        }
        for doubt in &record.content.doubts {
            match doubt {
                DoubtChange::Begins(begun) => self.in_doubt.begin(begun),
                DoubtChange::Ends(id) => self.in_doubt.end_for_good(*id),
            }
        }
        self.forget_oldest();
        Ok(())
    }

    /// All that a process needs that begins here.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            at: self.stamp,
            nonce: self.nonce,
            floor: self.floor.max(self.forgotten.newest()),
            everything: self.everything,
            targets: self.targets.iter().map(|(&t, &last)| (t, last)).collect(),
            doubts: self.in_doubt.open().cloned().collect(),
        }
    }

    /// Begins with a checkpoint. What was known so far may have been another history, so entries from that
    /// far back are not judged any more.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) {
        let known = match self.stamp.epoch {
            epoch if epoch == checkpoint.at.epoch => self.stamp.position + 1,
            _ => 0,
        };
        self.stamp = checkpoint.at;
        self.nonces.clear();
        self.remember(checkpoint.nonce);
        self.floor = checkpoint.floor.max(known);
        self.forgotten.clear(self.floor);
        self.everything = checkpoint.everything;
        self.targets = checkpoint.targets.iter().copied().collect();
        let newest = |(target, last): &(Target, Last)| (last.newest(), *target);
        let mut order: Vec<_> = checkpoint.targets.iter().map(newest).collect();
        order.sort_unstable();
        self.order = order.into();
        for begun in &checkpoint.doubts {
            self.in_doubt.begin(begun);
        }
        self.forget_oldest();
    }

    /// Knows no log any more; the next record is a first one. What is in doubt stays so. Until all was
    /// [learned](Self::learned) again no entry is judged: on the way less is known than was.
    pub(super) fn forget(&mut self) {
        self.is_relearning |= self.stamp.epoch != 0;
        self.stamp = Stamp::default();
        self.nonce = 0;
        self.nonces.clear();
    }

    pub(super) fn is_relearning(&self) -> bool {
        self.is_relearning
    }

    /// The end of the log was reached again.
    pub(super) fn learned(&mut self) {
        self.is_relearning = false;
    }

    /// From now until [settled](Self::settle), entries with these targets are refused.
    pub(super) fn doubt_all(&mut self, changes: &[Change]) {
        self.in_doubt.add(changes);
    }

    /// The log now says itself what [`doubt_all`](Self::doubt_all) said for it.
    pub(super) fn settle(&mut self, changes: &[Change]) {
        self.in_doubt.settle(changes);
    }

    /// What is in doubt. A doubt of this process begins here before its record stands.
    pub(super) fn doubts(&mut self) -> &mut Doubts {
        &mut self.in_doubt
    }

    pub(super) fn has_room_for(&self, begun: &Begun) -> bool {
        self.in_doubt.has_room_for(begun)
    }

    /// Whether a change is announced that may be committed any moment.
    pub(super) fn is_announced(&self) -> bool {
        self.in_doubt.open().next().is_some()
    }

    /// The doubts that end by a record.
    pub(super) fn open_doubts(&self) -> impl Iterator<Item = &Begun> {
        self.in_doubt.open()
    }

    fn has_taken(&self, record: &Record) -> bool {
        let is_last = record.position == self.stamp.position;
        record.position < self.stamp.position || (is_last && record.nonce == self.nonce)
    }

    /// What tells one state from another, for the model.
    #[cfg(test)]
    pub(super) fn hash_into(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let mut targets: Vec<_> = self.targets.iter().collect();
        targets.sort_by_key(|(target, _)| **target);
        (self.stamp, self.nonce, self.floor, self.everything).hash(hasher);
        (targets, &self.order, &self.nonces).hash(hasher);
        self.forgotten.hash_into(hasher);
        self.in_doubt.hash_into(hasher);
        self.is_relearning.hash(hasher);
    }

    #[cfg(test)]
    pub(super) fn forgotten(&self) -> &Summary {
        &self.forgotten
    }

    /// About what it takes, without what is in doubt.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        // A byte of control for each place in the map, of which an eighth stays free.
        let places = self.targets.capacity() * 8 / 7;
        places * (1 + size_of::<(Target, Last)>())
            + self.order.capacity() * size_of::<(u64, Target)>()
            + self.nonces.capacity() * size_of::<u64>()
            + self.forgotten.bytes()
    }

    /// Before any record was seen, all that is known is what this process invalidated itself; nothing
    /// that is stored is used in that state, but those who wait for one fetch are answered together.
    fn can_judge(&self, stamp: Stamp) -> bool {
        !self.is_relearning && stamp.epoch == self.stamp.epoch && stamp.position >= self.floor
    }

    fn begin_epoch(&mut self, first: &Record) {
        self.stamp.epoch = first.epoch;
        self.floor = first.position.saturating_sub(1);
        self.nonces.clear();
        self.forgotten.clear(self.floor);
        self.everything = Last::default();
        self.targets.clear();
        self.order.clear();
    }

    fn remember(&mut self, nonce: u64) {
        self.nonce = nonce;
        self.nonces.push_back(nonce);
        if self.nonces.len() > NONCES {
            self.nonces.pop_front();
        }
    }

    fn raise(&mut self, change: Change, position: u64) {
        if change.target == Target::EVERYTHING {
            self.everything.raise(change.mode, position);
            return;
        }
        let last = self.targets.entry(change.target).or_default();
        if last.newest() != position {
            self.order.push_back((position, change.target));
        }
        last.raise(change.mode, position);
    }

    /// What is known of a target. Of one that was forgotten only when it may have been hit, hard or not, the
    /// last time before it came back.
    fn last(&self, target: Target) -> Last {
        let mut last = self.targets.get(&target).copied().unwrap_or_default();
        let forgotten = self.forgotten.last(target);
        if forgotten > last.hard {
            last.hard = forgotten;
            last.hard_before = forgotten;
        } else {
            last.hard_before = last.hard_before.max(forgotten);
        }
        last
    }

    /// Keeps the bound. What a forgotten target would have refused, the summary refuses.
    fn forget_oldest(&mut self) {
        while self.targets.len() > self.capacity {
            let Some((position, target)) = self.order.pop_front() else {
                return;
            };
            if self.is_last_mention(position, target) {
                self.targets.remove(&target);
                if !self.forgotten.remember(target, position) {
                    self.floor = self.floor.max(position);
                    self.forgotten.clear(position);
                }
            }
        }
        if self.order.len() > 2 * self.capacity {
            let order = std::mem::take(&mut self.order);
            self.order = order
                .into_iter()
                .filter(|(position, target)| self.is_last_mention(*position, *target))
                .collect();
        }
    }

    fn is_last_mention(&self, position: u64, target: Target) -> bool {
        self.targets
            .get(&target)
            .is_some_and(|last| last.newest() == position)
    }
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

/// So that of as many forgotten targets as the table holds, one in 3000 entries suffers.
const SLOTS_PER_TARGET: usize = 64;

/// What a writer's own record is told by when it comes back: so many others may come in between.
const NONCES: usize = 4096;

/// The generation of what was fetched in another process, whose generations are not ours.
const ELSEWHERE: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::record::Content, *};

    fn tag(name: u32) -> Target {
        Target::new("tag", &name.to_be_bytes())
    }

    fn hard(target: Target) -> Change {
        Change {
            target,
            mode: Mode::Hard,
        }
    }

    /// Applies one record after the other, as a process that misses nothing.
    fn append(table: &mut Table, epoch: u64, changes: Vec<Change>) -> Stamp {
        let position = table.stamp().position + 1;
        let record = Record {
            position,
            epoch,
            previous: table.nonce(),
            nonce: position * 7 + epoch,
            content: Content {
                changes,
                doubts: vec![],
            },
        };
        table.apply(&record).expect("the next record");
        table.stamp()
    }

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

    #[test]
    fn a_hole_a_fork_and_a_repetition_are_gaps() {
        let mut table = Table::new(8);
        append(&mut table, 1, vec![]);
        append(&mut table, 1, vec![]);
        let next = Record {
            position: 3,
            epoch: 1,
            previous: table.nonce(),
            nonce: 5,
            content: Content::default(),
        };
        let skipped = Record {
            position: 4,
            ..next.clone()
        };
        let forked = Record {
            previous: 99,
            ..next.clone()
        };
        let repeated = Record {
            position: 2,
            ..next.clone()
        };
        for wrong in [skipped, forked, repeated] {
            assert_eq!(table.apply(&wrong), Err(Gap));
        }
        assert_eq!(table.apply(&next), Ok(()));
    }

    #[test]
    fn a_new_epoch_leaves_nothing_of_the_old_one_usable() {
        let mut table = Table::new(8);
        let old = append(&mut table, 1, vec![]);
        let new = append(&mut table, 2, vec![]);
        assert_eq!(table.verdict(old, &[]), Verdict::Invalid);
        assert_eq!(table.verdict(new, &[]), Verdict::Valid);
    }

    #[test]
    fn a_process_that_comes_late_refuses_what_it_cannot_judge() {
        let mut table = Table::new(8);
        let first_kept = Record {
            position: 50,
            epoch: 1,
            previous: 3,
            nonce: 4,
            content: Content::default(),
        };
        table
            .apply(&first_kept)
            .expect("the first record sets the floor");
        let judged = |position| table.verdict(Stamp { epoch: 1, position }, &[]);
        assert_eq!(judged(48), Verdict::Invalid);
        assert_eq!(judged(49), Verdict::Valid);
    }

    proptest! {
        /// Against a table without a bound: never valid where that one says invalid, and exactly the
        /// same while the bound is not reached.
        #[test]
        fn the_bound_costs_only_misses(
            appends in prop::collection::vec(prop::collection::vec((0_u32..12, any::<bool>()), 0..4), 1..60),
            asked in prop::collection::vec(0_u32..12, 0..4),
        ) {
            let mut bounded = Table::new(4);
            let mut exact = Table::new(usize::MAX / 4);
            let mut stamps = vec![];
            for changes in appends {
                let changes: Vec<_> = changes
                    .into_iter()
                    .map(|(name, soft)| Change {
                        target: tag(name),
                        mode: if soft { Mode::Soft } else { Mode::Hard },
                    })
                    .collect();
                append(&mut bounded, 1, changes.clone());
                stamps.push(append(&mut exact, 1, changes));
            }
            let asked: Vec<_> = asked.into_iter().map(tag).collect();
            for stamp in stamps {
                let truth = exact.verdict(stamp, &asked);
                let said = bounded.verdict(stamp, &asked);
                prop_assert!(said == truth || said == Verdict::Invalid);
            }
            prop_assert!(bounded.targets.len() <= 4);
            prop_assert!(bounded.order.len() <= 8);
        }
    }
}
