use super::*;

fn by_api_key() -> Key {
    Key::header("x-api-key")
}

fn with_api_key(request: Parts) -> Parts {
    with_lines(request, "x-api-key", &["k"])
}

#[test]
fn both_are_missing_if_either_is() {
    let key = || Key::user().and(by_api_key());
    let both = Subject::user("ada").and(Subject::header("k"));
    assert_eq!(who(key(), &with_api_key(from_user("ada"))), somebody(&both));
    assert_eq!(who(key(), &from_user("ada")), Who::Nobody);
    assert_eq!(who(key(), &with_api_key(request())), Who::Nobody);
}

#[test]
fn the_first_that_is_present_counts() {
    let key = || Key::user().or(by_api_key());
    let ada = somebody(&Subject::user("ada"));
    assert_eq!(who(key(), &with_api_key(from_user("ada"))), ada);
    assert_eq!(
        who(key(), &with_api_key(request())),
        somebody(&Subject::header("k"))
    );
    assert_eq!(who(key(), &request()), Who::Nobody);
}

#[test]
fn what_a_failed_alternative_has_found_is_forgotten() {
    let key = || Key::user().and(by_api_key()).or(Key::route());
    let key = || Key::from_fn(|_| Some("all")).and(key());
    assert_eq!(
        who(key(), &from_user("ada")),
        somebody(&Subject::custom("all").and(Subject::route("GET", "/")))
    );
}

#[test]
fn whoever_is_allowed_is_exempt_whatever_else_is_missing() {
    let inside = || Key::client_ip().allow(["10.0.0.0/8", "::ffff:192.0.2.0/120"]);
    let request = from_peer("10.0.0.1");
    assert_eq!(who(inside(), &request), Who::Exempt);
    assert_eq!(who(inside().and(Key::user()), &request), Who::Exempt);
    assert_eq!(who(Key::user().and(inside()), &request), Who::Exempt);
    assert_eq!(who(Key::user().or(inside()), &request), Who::Exempt);
    assert_eq!(who(inside(), &from_peer("::ffff:192.0.2.9")), Who::Exempt);
    assert_eq!(who(inside(), &from_peer("192.0.3.1")), at("192.0.3.1"));
}

#[test]
fn an_alternative_that_is_not_needed_exempts_nobody() {
    let key = Key::route().or(Key::client_ip().allow(["10.0.0.1"]));
    assert_eq!(
        who(key, &from_peer("10.0.0.1")),
        somebody(&Subject::route("GET", "/"))
    );
}

fn slowly(answer: Option<&'static str>) -> Key {
    Key::from_async_fn(move |_| async move {
        tokio::task::yield_now().await;
        answer
    })
}

#[test]
fn what_takes_time_is_found_later() {
    let custom = Subject::custom("x");
    let key = slowly(Some("x"));
    assert!(key.is_async());
    assert_eq!(later(&key, &request()), somebody(&custom));
    assert_eq!(key.find(&request(), &mut material()), Found::Missing);
    let both = Key::user().and(slowly(Some("x")));
    assert!(both.is_async());
    assert_eq!(
        later(&both, &from_user("ada")),
        somebody(&Subject::user("ada").and(custom.clone()))
    );
    assert_eq!(later(&both, &request()), Who::Nobody);
    let either = slowly(None).or(slowly(Some("x")));
    assert_eq!(later(&either, &request()), somebody(&custom));
    let allowed = slowly(None).and(Key::client_ip().allow(["10.0.0.1"]));
    assert_eq!(later(&allowed, &from_peer("10.0.0.1")), Who::Exempt);
}

#[test]
fn nonsense_anywhere_in_a_key_is_named() {
    let wrong = |key: Key| key.check().expect_err("nonsense").to_string();
    let network = Key::client_ip().trusted_proxies(["10.0.0.0/8", "ten", "eleven"]);
    assert!(wrong(Key::user().or(network)).contains("\"ten\""));
    assert!(wrong(Key::client_ip().allow(["10/8"]).into()).contains("\"10/8\""));
    assert!(wrong(Key::user().and(Key::header("a b"))).contains("\"a b\""));
    for bits in [0, 129, 255] {
        let key = Key::from(Key::client_ip().ipv6_prefix(bits)).and(Key::user());
        assert!(wrong(key.clone()).contains("prefix"));
        let mut request = from_peer("2001:db8::1");
        request.extensions.insert(Identity::new("ada"));
        assert_eq!(key.find(&request, &mut material()), Found::Present);
    }
}

#[test]
fn keys_are_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Key>();
    shared::<Subject>();
    shared::<ClientIp>();
}
