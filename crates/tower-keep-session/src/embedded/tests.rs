use tower_keep_store::Key;

use super::state::{Kind, Member, State, Tomb};
use crate::{
    place::{At, Listed},
    ticket::{OWNER, Ticket},
};

fn session(owner: &Key, created: u64) -> (At, Kind) {
    let at = At::of(&Ticket::new(Some(owner)));
    let listed = Listed {
        id: at.digest,
        digest: at.digest,
        created,
        label: "label".to_owned(),
    };
    let member = Member {
        owner: *owner,
        listed,
    };
    (at, Kind::Session(Box::default(), Some(member)))
}

#[test]
fn after_everything_expired_nothing_is_left() {
    let mut state = State::default();
    let owners = ["ada", "grace"].map(|user| Key::new(OWNER, user.as_bytes()));
    for (i, until) in (10..20).enumerate() {
        let (at, kind) = session(&owners[i % 2], until);
        state.put(at.session, kind, until);
        if i == 3 {
            state.bury(&at, Tomb::Ended, 30);
        }
    }
    state.expire(15);
    assert_eq!(state.listed(&owners[0]).len(), 2);
    state.expire(19);
    assert!(!state.is_empty(), "the end of one is still remembered");
    state.expire(30);
    assert!(state.is_empty());
}

#[test]
fn where_memory_ends_what_would_expire_first_goes() {
    let mut state = State::default();
    let owner = Key::new(OWNER, b"ada");
    let keys: Vec<Key> = (1..=10)
        .map(|until| {
            let (at, kind) = session(&owner, until);
            state.put(at.session, kind, until);
            at.session
        })
        .collect();
    let half = state.bytes / 2;
    state.make_room(&keys[0], half);
    assert!(state.bytes <= half);
    let is_there: Vec<_> = keys
        .iter()
        .map(|key| state.find(key, 0).is_some())
        .collect();
    assert!(is_there[0] && is_there[9] && !is_there[1], "{is_there:?}");
    assert_eq!(state.of_owner(&owner).len(), 5);
}
