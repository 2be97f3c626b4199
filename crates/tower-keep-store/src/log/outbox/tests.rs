use std::time::Duration;

use super::{
    super::{doubts::Begun, record::Record},
    written::MOST_WRITTEN,
    *,
};

fn change(name: &[u8]) -> Change {
    Change {
        target: Target::new("tag", name),
        mode: Mode::Hard,
    }
}

fn push(outbox: &mut Outbox, changes: Vec<Change>) -> (u64, Queued) {
    outbox.push(Content {
        changes,
        doubts: vec![],
    })
}

fn stamp(epoch: u64, position: u64) -> Stamp {
    Stamp { epoch, position }
}

/// One that has applied a record at this place.
fn table(epoch: u64, position: u64, nonce: u64) -> Table {
    let mut table = Table::new(8);
    let record = Record {
        position,
        epoch,
        nonce,
        ..Record::default()
    };
    table.apply(&record).expect("a first record");
    table
}

#[test]
fn a_batch_settles_when_its_record_was_applied() {
    let mut outbox = Outbox::default();
    let (ticket, _) = push(&mut outbox, vec![change(b"a")]);
    let batch = outbox.next_batch().expect("one change waits");
    assert_eq!(batch.ticket, ticket);
    assert!(outbox.written(batch, 1, stamp(1, 7), 70).is_none());
    assert!(outbox.next_settled(&table(1, 6, 60)).is_none());
    assert!(outbox.next_settled(&table(1, 7, 70)).is_some());
    assert!(outbox.next_settled(&table(1, 7, 70)).is_none());
    assert!(outbox.next_batch().is_none());
}

#[test]
fn a_batch_in_whose_place_another_record_is_found_is_written_again() {
    let mut outbox = Outbox::default();
    push(&mut outbox, vec![change(b"a")]);
    let batch = outbox.next_batch().expect("one change waits");
    assert!(outbox.written(batch.clone(), 1, stamp(1, 7), 70).is_none());
    assert!(outbox.next_settled(&table(1, 7, 71)).is_none());
    let again = outbox.next_batch().expect("it waits again");
    assert_eq!(again.content, batch.content);
    assert!(again.ticket >= batch.ticket);
}

#[test]
fn a_record_that_founded_an_epoch_is_not_settled_by_the_old_one() {
    let mut outbox = Outbox::default();
    push(&mut outbox, vec![change(b"a")]);
    let batch = outbox.next_batch().expect("one change waits");
    assert!(outbox.written(batch, 1, stamp(2, 1), 21).is_none());
    assert!(outbox.next_settled(&table(1, 900, 1)).is_none());
    assert!(
        outbox.next_settled(&table(3, 1, 31)).is_none(),
        "before it or after?"
    );
    push(&mut outbox, vec![change(b"b")]);
    let batch = outbox.next_batch().expect("one change waits");
    assert!(outbox.written(batch, 3, stamp(3, 2), 32).is_none());
    let table = table(3, 2, 32);
    assert!(outbox.next_settled(&table).is_some(), "after it");
    assert!(outbox.next_settled(&table).is_some());
}

#[test]
fn what_cannot_wait_one_by_one_becomes_everything() {
    let mut outbox = Outbox::default();
    let many: Vec<_> = (0..CAPACITY).map(|i| change(&i.to_be_bytes())).collect();
    push(&mut outbox, many.clone());
    let (ticket, queued) = push(&mut outbox, vec![change(b"one more")]);
    assert_eq!(queued.replaced, many);
    let batch = outbox.next_batch().expect("something waits");
    assert_eq!(batch.ticket, ticket);
    assert_eq!(batch.content.changes.len(), 1);
    assert_eq!(batch.content.changes[0].target, Target::EVERYTHING);
}

#[test]
fn what_does_not_come_back_takes_bounded_room() {
    let mut outbox = Outbox::default();
    let (mut doubted, mut last) = (0, stamp(1, 0));
    for position in 1..=40 {
        let many = (0..CAPACITY as u64).map(|i| change(&(position << 32 | i).to_be_bytes()));
        let (_, queued) = push(&mut outbox, many.collect());
        doubted += queued.doubted.len();
        let batch = outbox.next_batch().expect("it waits");
        last = stamp(1, position);
        if let Some(merged) = outbox.written(batch, 1, last, position) {
            doubted += merged.doubted.len();
            doubted -= merged.replaced.len();
        }
        let words: usize = outbox.written.batches.iter().map(|w| w.batch.words()).sum();
        assert_eq!(words, outbox.written.words);
        assert!(words <= MOST_WRITTEN);
    }
    let table = table(1, last.position, last.position);
    while let Some((batch, _)) = outbox.next_settled(&table) {
        doubted -= batch.content.changes.len();
    }
    assert_eq!((doubted, outbox.written.words), (0, 0));
}

#[test]
fn a_doubt_can_be_taken_back_until_it_is_on_its_way() {
    let mut outbox = Outbox::default();
    let begun = Begun::new(7, Duration::from_secs(1), &[]);
    let begins = || Content {
        changes: vec![],
        doubts: vec![DoubtChange::Begins(begun.clone())],
    };
    outbox.push(begins());
    assert_eq!(outbox.latest(), 1);
    assert!(outbox.withdraw(7));
    assert_eq!(outbox.latest(), 0, "nobody waits for it any more");
    assert!(outbox.next_batch().is_none());
    outbox.push(begins());
    assert!(outbox.next_batch().is_some());
    assert!(!outbox.withdraw(7));
    assert!(outbox.ending().is_empty());
    outbox.push(Content {
        changes: vec![],
        doubts: vec![DoubtChange::Ends(7)],
    });
    assert!(outbox.ending().contains(&7));
}
