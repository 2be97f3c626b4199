//! A table and its records, for tests.

use super::{
    super::{
        record::{Change, Content, Record},
        target::{Mode, Target},
    },
    Stamp, Table,
};

pub(super) fn tag(name: u32) -> Target {
    Target::new("tag", &name.to_be_bytes())
}

pub(super) fn hard(target: Target) -> Change {
    Change {
        target,
        mode: Mode::Hard,
    }
}

/// Applies one record after the other, as a process that misses nothing.
pub(super) fn append(table: &mut Table, epoch: u64, changes: Vec<Change>) -> Stamp {
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
