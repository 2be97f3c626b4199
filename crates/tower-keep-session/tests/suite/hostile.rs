//! Whatever a client sends: an answer, no session, no key, no panic.

use http::{HeaderName, HeaderValue, header};
use tower_keep_session::{SessionCookie, SessionLayer, Transport};
use tower_keep_store::Store;
use tower_keep_test_support::{Random, seed};

use crate::common::{Browser, fields};

/// Parts of which bad cookies are made.
const PARTS: [&[u8]; 16] = [
    b"__Host-id",
    b"=",
    b";",
    b" ",
    b"; ",
    b",",
    b"\"",
    b"%3D",
    b".",
    b"A",
    b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    b"AAAAAAAAAAAAAAAAAAAAAA",
    b"_-",
    b"\xff\xfe",
    b"\t",
    b"Bearer ",
];

fn garbage(random: &mut Random) -> HeaderValue {
    let length = random.size(40);
    let parts = (0..length).flat_map(|_| random.pick(&PARTS).to_vec());
    let bytes: Vec<u8> = parts.collect();
    HeaderValue::from_bytes(&bytes).expect("nothing that cannot be sent")
}

#[tokio::test]
async fn whatever_a_client_sends_it_gets_an_answer_and_no_session() {
    let mut random = Random::new(seed());
    let field = HeaderName::from_static("x-session");
    let cookies = [
        SessionCookie::default(),
        SessionCookie::default().signed_with([[1; 64]]),
        SessionCookie::default()
            .signed_with([[1; 64], [2; 64]])
            .encrypted(),
    ];
    for cookie in cookies {
        let builder = SessionLayer::builder(Store::memory())
            .transport(Transport::Cookie(cookie))
            .transport(Transport::Bearer)
            .transport(Transport::Header(field.clone()));
        let layer = builder.build().expect("makes sense");
        for _ in 0..2000 {
            let mut client = Browser::new(&layer);
            for name in [header::COOKIE, header::AUTHORIZATION, field.clone()] {
                for _ in 0..random.below(3) {
                    client.headers.append(name.clone(), garbage(&mut random));
                }
            }
            let (user, answer) = client.visit(async |session| session.user()).await;
            assert_eq!(user, None, "{:?}", client.headers);
            assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
        }
    }
}

#[tokio::test]
async fn where_memory_ends_sessions_end_and_nothing_else() {
    let layer = SessionLayer::new(Store::builder().memory_limit(100_000).memory());
    let mut browsers = Vec::new();
    for i in 0..500 {
        let mut browser = Browser::new(&layer);
        browser.set("number", i).await;
        assert_eq!(
            browser.get("number").await,
            Some(i),
            "what was just written is there"
        );
        browsers.push(browser);
    }
    let mut left = 0;
    for browser in &mut browsers {
        left += usize::from(browser.get("number").await.is_some());
    }
    assert!((50..450).contains(&left), "{left}");
}

/// Whatever fills it: names of users are the application's, and may be long.
#[tokio::test]
async fn long_names_of_users_count_as_memory() {
    let layer = SessionLayer::new(Store::builder().memory_limit(100_000).memory());
    let mut browsers = Vec::new();
    for i in 0..100 {
        let mut browser = Browser::new(&layer);
        browser.login(&format!("{i}{}", "x".repeat(5000))).await;
        browsers.push(browser);
    }
    let mut left = 0;
    for browser in &mut browsers {
        left += usize::from(browser.user().await.is_some());
    }
    assert!((5..20).contains(&left), "{left}");
}
