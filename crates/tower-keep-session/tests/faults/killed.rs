//! A process is killed in the middle of its work (`kill -9`).

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use futures_util::future::join_all;
use tower_keep_test_support::{Random, RedisServer, Reply, eventually, seed};

use crate::{
    common::LONG,
    process::Process,
    records::live,
    visitor::{Told, Visitor},
};

/// Writers who do not stop, at both processes; at a moment of chance one of these is killed. What was confirmed is
/// there, what was not is there as a whole or not at all, and nothing is left for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_there_and_nothing_is_there_by_half() {
    let mut random = Random::new(seed());
    let server = RedisServer::start();
    let survivor = Process::start(&server);
    for _ in 0..3 {
        let mut victim = Process::start(&server);
        let visitor = Visitor::logged_in(survivor.address).await;
        let moment = 20 + random.index(60);
        let (sent, done, asked) = (AtomicI64::new(0), AtomicI64::new(0), AtomicUsize::new(0));
        let addresses = [victim.address, survivor.address];
        let work = (0..6).map(|i| {
            let mut visitor = visitor.clone();
            let (sent, done, asked) = (&sent, &done, &asked);
            let at = addresses[i % 2];
            async move {
                for value in 0..40 {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let both = format!("/both/{}", i * 1000 + value);
                    if visitor.ask(at, "POST", &both).await.is_err() {
                        return;
                    }
                    sent.fetch_add(1, Ordering::SeqCst);
                    match visitor.ask(at, "POST", "/add/count").await {
                        Ok(Told { status: 200, .. }) => done.fetch_add(1, Ordering::SeqCst),
                        Ok(told) => panic!("{told:?}"),
                        Err(_) => return,
                    };
                }
            }
        });
        let kill = async {
            eventually(LONG, async || asked.load(Ordering::SeqCst) >= moment).await;
            victim.kill();
        };
        tokio::join!(join_all(work), kill);
        let mut visitor = visitor.clone();
        let at = survivor.address;
        assert_eq!(visitor.get(at, "/me").await.body, "ada");
        let (left, right) = (
            visitor.number(at, "left").await,
            visitor.number(at, "right").await,
        );
        assert_eq!(left, right, "both, or none");
        let count = visitor.number(at, "count").await;
        let (sent, done) = (sent.load(Ordering::SeqCst), done.load(Ordering::SeqCst));
        assert!(
            (done..=sent).contains(&count),
            "{done} <= {count} <= {sent}"
        );
        assert_eq!(visitor.post(at, "/logout").await.status, 200);
    }
    let Reply::Array(Some(keys)) = server.command(&["KEYS", "*"]) else {
        panic!("KEYS answers with a list");
    };
    for key in keys {
        let key = key.text().expect("a name");
        assert_ne!(server.command(&["PTTL", &key]), Reply::Integer(-1), "{key}");
    }
}

/// Logins, rotations and logouts are cut off: there is never more than one session for one client, and whoever was
/// told something can rely on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_ticket_that_is_cut_off_leaves_one_session_at_the_most() {
    let mut random = Random::new(seed());
    let server = RedisServer::start();
    let survivor = Process::start(&server);
    for path in ["/login/ada", "/rotate", "/logout"] {
        let mut victim = Process::start(&server);
        let visitors = join_all((0..8).map(|_| Visitor::logged_in(survivor.address))).await;
        let at = victim.address;
        let asked = AtomicUsize::new(0);
        let work = visitors.into_iter().map(|mut visitor| {
            let asked = &asked;
            async move {
                asked.fetch_add(1, Ordering::SeqCst);
                let told = visitor.ask(at, "POST", path).await;
                (visitor, told)
            }
        });
        let moment = 1 + random.index(8);
        let kill = async {
            eventually(LONG, async || asked.load(Ordering::SeqCst) >= moment).await;
            victim.kill();
        };
        let (ends, ()) = tokio::join!(join_all(work), kill);
        let mut known = 0;
        for (mut visitor, told) in ends {
            let user = visitor.get(survivor.address, "/me").await;
            known += usize::from(user.status == 200);
            match (path, told) {
                ("/logout", Ok(_)) => assert_eq!(user.status, 401),
                // It may have ended, and only nobody said so; or a login took its place that nobody was told of.
                ("/logout" | "/login/ada", Err(_)) => assert!([200, 401].contains(&user.status)),
                (_, told) => assert_eq!(user.body, "ada", "{path} {told:?}"),
            }
        }
        let live = live(&server).len();
        let bounds = if path == "/login/ada" {
            known..=8
        } else {
            known..=known
        };
        assert!(
            bounds.contains(&live),
            "{path}: {known} known, {live} there"
        );
        // Those of whom nobody was told are in the user's list, and can be ended there.
        clear(&server);
    }
}

fn clear(server: &RedisServer) {
    for key in live(server) {
        server.command(&["DEL", &key]);
    }
}
