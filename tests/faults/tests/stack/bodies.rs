use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_keep_faults::LONG;
use tower_keep_test_support::eventually;

use crate::{
    server::{CHECKSUM, Limits, Server},
    visitor::{get, get_http2, open, send_raw},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_frame_of_a_miss_is_there_before_the_second_is_made() {
    let server = Server::start(Limits::WIDE).await;
    server.origin.second_frame.close();
    let mut body = open(server.address, "/stream/a").await.into_body();
    let first = body.frame().await.expect("a frame").expect("no error");
    assert_eq!(first.into_data().expect("data"), "a: first, ");
    assert_eq!(server.origin.second_frame.waiters(), 1);
    server.origin.second_frame.open();
    let rest = body.collect().await.expect("a whole body").to_bytes();
    assert_eq!(rest, "second");
    let hit = get(server.address, "/stream/a").await;
    assert!(hit.is_hit() && hit.body == "a: first, second", "{hit:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_in_the_middle_does_not_spoil_the_fill() {
    let server = Server::start(Limits::WIDE).await;
    let gate = &server.origin.second_frame;
    for leaves_by_reset in [false, true] {
        gate.close();
        let path = format!("/stream/{leaves_by_reset}");
        let mut socket = send_raw(server.address, &path).await;
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("first, ") {
            assert_ne!(socket.read_buf(&mut seen).await.expect("bytes"), 0);
        }
        if leaves_by_reset {
            // Closing with bytes unread, or at once, resets the connection.
            socket.set_zero_linger().expect("a TCP socket");
        } else {
            let _ = socket.shutdown().await;
        }
        drop(socket);
        let calls = server.origin.calls();
        gate.open();
        eventually(LONG, async || server.handle.stats().in_flight == 0).await;
        let answer = get(server.address, &path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, format!("{leaves_by_reset}: first, second"));
        assert!(answer.is_hit(), "{answer:?}");
        assert_eq!(server.origin.calls(), calls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_for_a_body_whose_client_left_are_answered_by_it() {
    let server = Server::start(Limits::WIDE).await;
    let at = server.address;
    server.origin.second_frame.close();
    let mut socket = send_raw(at, "/stream/a").await;
    assert_ne!(socket.read_u8().await.expect("a byte"), 0);
    let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(get(at, "/stream/a"))).collect();
    eventually(LONG, async || server.origin.arrived() == 6).await;
    drop(socket);
    server.origin.second_frame.open();
    for answer in waiting {
        assert_eq!(answer.await.expect("an answer").body, "a: first, second");
    }
    assert_eq!(server.origin.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_come_on_a_miss_and_on_a_hit_in_http_1_and_http_2() {
    let server = Server::start(Limits::WIDE).await;
    let at = server.address;
    for is_hit in [false, true] {
        let one = get(at, "/trailers/one").await;
        let two = get_http2(at, "/trailers/two").await;
        for (answer, body) in [(one, "one"), (two, "two")] {
            assert_eq!(
                (answer.is_hit(), &answer.body[..]),
                (is_hit, body.as_bytes())
            );
            let sum = answer.trailers.as_ref().and_then(|all| all.get(CHECKSUM));
            assert_eq!(sum, Some(&HeaderValue::from_static("c0ffee")), "{answer:?}");
        }
    }
    assert_eq!(server.origin.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_wire_the_trailers_of_http_1_follow_the_last_chunk() {
    let server = Server::start(Limits::WIDE).await;
    for word in ["miss", "hit"] {
        let mut socket = send_raw(server.address, "/trailers/raw").await;
        let mut text = String::new();
        socket.read_to_string(&mut text).await.expect("text");
        let head = text.to_ascii_lowercase();
        assert!(head.contains(word), "{text}");
        assert!(head.contains("transfer-encoding: chunked"), "{text}");
        assert!(!head.contains("content-length"), "{text}");
        assert!(
            text.ends_with("\r\n0\r\nx-checksum: c0ffee\r\n\r\n"),
            "{text}"
        );
    }
}
