//! Two processes of the operating system on one Redis: what one does, the other does not undo.

use futures_util::future::join_all;
use tower_keep_test_support::{Random, RedisServer, seed};

use crate::{
    common::held,
    process::Process,
    records::live,
    visitor::{Told, Visitor},
};

fn start() -> (RedisServer, [Process; 2]) {
    let server = RedisServer::start();
    let processes = [Process::start(&server), Process::start(&server)];
    (server, processes)
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_to_different_fields_are_not_lost() {
    let (_server, [one, other]) = start();
    let visitor = Visitor::logged_in(one.address).await;
    // Eight requests have loaded the session before any of them writes.
    let set = |i: usize| {
        let mut visitor = visitor.clone();
        let at = [&one, &other][i % 2].address;
        async move { visitor.post(at, &format!("/slow/set/f{i}/{}", i + 1)).await }
    };
    let open = async {
        tokio::join!(one.holds(4), other.holds(4));
        tokio::join!(one.open(), other.open());
    };
    let (told, ()) = tokio::join!(join_all((0..8).map(set)), open);
    assert!(told.iter().all(|told| told.status == 200), "{told:?}");
    let mut reader = visitor.clone();
    for i in 0..8 {
        let at = [&one, &other][i % 2].address;
        assert_eq!(reader.number(at, &format!("f{i}")).await, i as i64 + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_increments_at_once_make_sixty_four() {
    let (_server, [one, other]) = start();
    let visitor = Visitor::logged_in(one.address).await;
    let add = |i: usize| {
        let mut visitor = visitor.clone();
        let at = [&one, &other][i % 2].address;
        async move { visitor.post(at, "/slow/add/count").await.status }
    };
    let open = async {
        tokio::join!(one.holds(32), other.holds(32));
        tokio::join!(one.open(), other.open());
    };
    let (told, ()) = tokio::join!(join_all((0..64).map(add)), open);
    assert_eq!(told, [200; 64]);
    assert_eq!(visitor.clone().number(other.address, "count").await, 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_in_one_revives_nothing_that_ended_in_the_other() {
    let (server, [one, other]) = start();
    for end in ["/logout", "/everywhere"] {
        other.close().await;
        let visitor = Visitor::logged_in(one.address).await;
        let late = |i: usize| {
            let (mut visitor, at) = (visitor.clone(), other.address);
            async move { visitor.post(at, LATE[i % 4]).await }
        };
        let end = async {
            other.holds(8).await;
            let told = visitor.clone().post(one.address, end).await;
            assert!(told.cookie.expect("a removal").contains("Max-Age=0"));
            other.open().await;
        };
        let (told, ()) = tokio::join!(join_all((0..8).map(late)), end);
        for (i, Told { status, cookie, .. }) in told.into_iter().enumerate() {
            let expected = if i % 4 == 0 { 200 } else { 410 };
            assert_eq!(status, expected, "nobody gets a 500");
            assert_eq!(cookie, None);
        }
        for at in [one.address, other.address] {
            assert_eq!(visitor.clone().get(at, "/me").await.status, 401);
            assert_eq!(visitor.clone().number(at, "late").await, 0);
        }
    }
    // What ended with all others is left until its time, and holds nothing that came late.
    for key in live(&server) {
        assert_eq!(held(&server, &key, ".late"), None);
    }
    assert!(live(&server).len() <= 1, "no session came back");
}

/// What is noted comes too late unseen; what is done at once is told so.
const LATE: [&str; 4] = [
    "/slow/set/late/1",
    "/slow/add/late",
    "/slow/login/ada",
    "/slow/rotate",
];

/// Each field has one writer, which knows what it was told last; the session is rotated meanwhile. In the end each
/// field is as its writer left it.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_chance_decides_no_write_that_was_confirmed_is_lost() {
    let mut random = Random::new(seed());
    let (server, [one, other]) = start();
    let visitor = Visitor::logged_in(one.address).await;
    let seeds: Vec<_> = (0..6).map(|_| random.any()).collect();
    let writers = seeds.into_iter().enumerate().map(|(i, seed)| {
        let (mut random, mut visitor) = (Random::new(seed), visitor.clone());
        let addresses = [one.address, other.address];
        async move {
            let mut last = 0;
            for value in 1..=25 {
                let at = random.pick(&addresses);
                let told = visitor.post(at, &format!("/set/f{i}/{value}")).await;
                assert_eq!(told.status, 200, "{told:?}");
                assert_eq!(told.cookie, None);
                last = value;
                let told = visitor.post(at, "/add/count").await;
                assert_eq!(told.status, 200, "{told:?}");
            }
            last
        }
    });
    let rotations = async {
        let mut visitor = visitor.clone();
        for _ in 0..5 {
            let at = random.pick(&[one.address, other.address]);
            assert_eq!(visitor.post(at, "/rotate").await.status, 200);
        }
        visitor
    };
    let (lasts, mut visitor) = tokio::join!(join_all(writers), rotations);
    for (i, last) in lasts.into_iter().enumerate() {
        let at = [one.address, other.address][i % 2];
        assert_eq!(visitor.number(at, &format!("f{i}")).await, last);
    }
    assert_eq!(visitor.number(one.address, "count").await, 6 * 25);
    assert_eq!(live(&server).len(), 1, "rotations leave one session");
}
