//! What somebody else wrote under our names.

use std::time::Duration;

use http::StatusCode;
use tower_keep_rate_limit::{Quota, Subject};
use tower_keep_store::Clock;
use tower_keep_test_support::{RedisServer, eventually};

use crate::{
    common::{LONG, START, field, from, limited, send, status},
    tools::{bucket, layer, lives, merchant, process_by},
};

/// Commands that put something under a key, without a time to live.
fn plants() -> Vec<Vec<String>> {
    let now = START.as_micros();
    let far = now + 10 * 365 * 24 * 3_600_000_000;
    let hour = now / 3_600_000_000;
    let mut texts: Vec<String> = [
        "",
        "garbage",
        "inf",
        "-inf",
        "nan",
        "-1",
        "1e308",
        "1e15",
        "0x10",
        " 7",
        "7 ",
        "12345",
        "9007199254740992",
        "9007199254740993",
        "18446744073709551616",
        "1/",
        "1/-1",
        "/1",
        "1/9007199254740992",
        "r",
        "r ",
        "r 1 2",
        "r -1 5",
        "w",
        "w 1",
        "w x 1",
        "c 99999",
        "c -1",
        "w 9007199254740992 9007199254740992",
        "r 9007199254740992 9007199254740992",
        "B",
        "B;",
        "B1,1,1;",
        "B1,1,99999999999999999;",
        "B9007199254740992,99999999999999999,1;",
        "B9007199254740992,1,99999999999999999;7",
        "B9007199254740992,1,9007199254740992;",
        "B1,9007199254740992,9007199254740992;w 1 1",
        "B1,1,1;B2,2,2;garbage",
        "R",
        "R;",
        "R1,1;garbage",
        "R9007199254740992,9007199254740992;7",
        "R1,9007199254740992;B1,1,9007199254740992;w 1 1",
        "R1,99999999999999999;R1,1;7",
        "\u{1}\u{0}\u{7f}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push(far.to_string());
    texts.push(format!("{far}/7"));
    texts.push(format!("B{far},1,{far};{far}"));
    texts.push(format!("R{far},{far};B{far},1,{far};{far}"));
    texts.push(format!("w {} 9007199254740992", hour));
    texts.push(format!("w {} 5", hour + 1000));
    texts.push(format!(
        "r {} 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5 5",
        hour * 16 + 5000
    ));
    texts.push(format!("r {} 9007199254740992 1", hour * 16));
    texts.push(format!("r {}{}", hour * 16, " 1".repeat(500)));
    let soon = now + 300 * 24 * 3_600_000_000;
    texts.push(format!("B{soon},1,1;"));
    texts.push("B1,1,9007199254740992;".to_owned());
    texts.push("9".repeat(100_000));
    let commands = [
        vec!["LPUSH", "7"],
        vec!["SADD", "7"],
        vec!["ZADD", "9007199254740992", "7"],
        vec!["HSET", "7", "7"],
        vec!["HSET", "", "3 "],
        vec!["HSET", "abc", "3 9007199254740992"],
        vec!["HSET", "abc", "9007199254740992 1800000000000001"],
        vec!["HSET", "abc", "9007199254740993 99999999999999999999"],
        vec!["HSET", "abc", "inf nan", "b", "-1 -1"],
        vec!["XADD", "*", "a", "b"],
    ];
    let text = |text: String| vec!["SET".to_owned(), text];
    let command = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    let texts = texts.into_iter().map(text);
    texts.chain(commands.map(command)).collect()
}

fn plant(server: &RedisServer, key: &str, words: &[String]) {
    server.command(&["UNLINK", key]);
    let mut command: Vec<&str> = words.iter().map(String::as_str).collect();
    command.insert(1, key);
    let reply = server.command(&command);
    assert!(
        !matches!(reply, tower_keep_test_support::Reply::Error(_)),
        "{words:?}: {reply:?}"
    );
}

fn quotas() -> [Quota; 4] {
    [
        Quota::per_hour(5),
        Quota::per_hour(5).strict(),
        Quota::per_hour(5).fixed_window(),
        Quota::concurrent(3),
    ]
}

/// Where the bucket of `m` is, whatever the quota.
async fn place(server: &RedisServer) -> String {
    let store = process_by(server, &Clock::manual(START));
    let handle = layer(store, merchant(Quota::per_hour(5))).handle();
    let taken = handle.take("merchant", &Subject::header("m"), 1).await;
    assert_eq!(taken.expect("answers"), 1);
    bucket(server)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_stands_in_a_bucket_it_heals() {
    let server = RedisServer::start();
    let key = place(&server).await;
    for quota in quotas() {
        for words in plants() {
            let what = format!("{quota:?}, {:.80}", words.join(" "));
            plant(&server, &key, &words);
            let clock = Clock::manual(START);
            let layer = layer(process_by(&server, &clock), merchant(quota));
            let (service, _) = limited(&layer);
            let first = send(&service, from("m")).await;
            match first.status() {
                StatusCode::OK => {}
                StatusCode::TOO_MANY_REQUESTS => {
                    let seconds =
                        field(&first, "retry-after").unwrap_or_else(|| panic!("{what}: {first:?}"));
                    let seconds: u64 = seconds.parse().expect("seconds");
                    assert!(seconds <= 2 * 3600, "{what}: {seconds} s");
                }
                other => panic!("{what}: {other}"),
            }
            assert_eq!(
                layer.handle().stats().by_share,
                0,
                "{what}: the script failed"
            );
            clock.advance(Duration::from_secs(2 * 3600));
            assert_eq!(status(&service, "m").await, StatusCode::OK, "{what}");
            // None of slots that are free again; by a clock that stands still, a day is added to others.
            let lives = lives(&server, &key);
            assert!(
                (1..=MOST).contains(&lives) || lives == -2,
                "{what}: {lives} ms"
            );
            assert_eq!(
                layer.handle().stats().by_share,
                0,
                "{what}: the script failed"
            );
            // A slot that is given back late would be in the way of what is planted next.
            drop(first);
            if quota == Quota::concurrent(3) {
                eventually(LONG, async || crate::tools::lives(&server, &key) == -2).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bans_heal_what_they_find_and_are_lifted() {
    let server = RedisServer::start();
    let quota = Quota::per_hour(5);
    let key = place(&server).await;
    let subject = Subject::header("m");
    for words in plants() {
        let what = format!("{:.80}", words.join(" "));
        plant(&server, &key, &words);
        let clock = Clock::manual(START);
        let layer = layer(process_by(&server, &clock), merchant(quota));
        let (service, _) = limited(&layer);
        let handle = layer.handle();
        let minute = Duration::from_secs(60);
        handle.ban("merchant", &subject, minute).await.expect(&what);
        let refused = send(&service, from("m")).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{what}");
        handle.unban("merchant", &subject).await.expect(&what);
        clock.advance(Duration::from_secs(2 * 3600));
        assert_eq!(status(&service, "m").await, StatusCode::OK, "{what}");
        assert!(lives(&server, &key) > 0, "{what}: lives for ever");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_broken_bucket_does_not_break_the_calls_of_others() {
    let server = RedisServer::start();
    let key = place(&server).await;
    for words in plants() {
        plant(&server, &key, &words);
        let clock = Clock::manual(START);
        let layer = layer(process_by(&server, &clock), merchant(Quota::per_hour(5)));
        let (service, _) = limited(&layer);
        let both = async || tokio::join!(status(&service, "m"), status(&service, "n"));
        for _ in 0..3 {
            let (_, other) = both().await;
            assert_eq!(other, StatusCode::OK, "{:.80}", words.join(" "));
        }
        layer
            .handle()
            .reset("merchant", &Subject::header("n"))
            .await
            .expect("answers");
        assert_eq!(
            layer.handle().stats().by_share,
            0,
            "{:.80}",
            words.join(" ")
        );
    }
}

/// Milliseconds that a bucket has to live at most, by a clock that stands still.
const MOST: i64 = 26 * 3_600_000;
