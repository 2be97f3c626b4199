//! What other caches were deceived with: public vulnerabilities of response caches, through the gateway.

use crate::common::{Origin, Reply, SOON, Site, ask, exchange, open, respond};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tower_keep_test_support::eventually;

const MINUTE: (&str, &str) = ("cache-control", "max-age=60");

/// An origin that tells how often it was asked.
async fn counting(fields: &'static [(&'static str, &'static str)]) -> Origin {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Origin::start(move |_| {
        let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        respond(200, fields, &count.to_string())
    })
    .await
}

#[tokio::test]
async fn hosts_do_not_share_entries() {
    let origin = Origin::start(|asked| {
        respond(
            200,
            &[MINUTE],
            asked.headers["host"].to_str().expect("text"),
        )
    })
    .await;
    let site = Site::new(&origin, "").await;
    for _ in 0..2 {
        for host in ["a", "b", "a:80", "b."] {
            let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            let reply = Reply::parse(&exchange(site.address, request.as_bytes()).await);
            assert_eq!(reply.body, host);
        }
    }
    assert_eq!(origin.count(), 4);
}

#[tokio::test]
async fn what_restricts_is_read_in_any_case_and_any_place() {
    for restriction in [
        ("cache-control", "max-age=60, No-Store"),
        ("cache-control", "PRIVATE, max-age=60"),
        ("cache-control", "max-age=60, private=\"x\""),
        ("Cache-Control", "ext=\"a, max-age=60\", no-store"),
        ("vary", "*"),
        ("vary", "accept, *"),
    ] {
        let origin = Origin::start(move |_| respond(200, &[restriction, MINUTE], "")).await;
        let site = Site::new(&origin, "").await;
        site.get("/").await;
        assert!(!site.get("/").await.is_hit(), "{restriction:?}");
    }
}

#[tokio::test]
async fn an_answer_to_head_is_none_to_get() {
    let origin = counting(&[MINUTE]).await;
    let site = Site::new(&origin, "").await;
    assert_eq!(ask(site.address, "HEAD /", &[]).await.body, "");
    assert_eq!(site.get("/").await.body, "1");
    assert_eq!(
        ask(site.address, "HEAD /", &[])
            .await
            .field("content-length"),
        "1"
    );
}

#[tokio::test]
async fn an_answer_to_post_is_never_replayed() {
    let origin = counting(&[MINUTE]).await;
    let site = Site::new(&origin, "").await;
    let post = "POST / HTTP/1.1\r\nhost: site\r\nconnection: close\r\ncontent-length: 1\r\n\r\na";
    for number in 0..3 {
        let reply = Reply::parse(&exchange(site.address, post.as_bytes()).await);
        assert_eq!(reply.body, number.to_string());
    }
}

#[tokio::test]
async fn a_get_that_another_field_turns_into_something_else_fills_nothing() {
    let origin = counting(&[MINUTE]).await;
    let site = Site::new(&origin, "").await;
    for field in [
        "x-http-method-override: DELETE",
        "x-method-override: POST",
        "x-original-url: /admin",
        "x-rewrite-url: /admin",
    ] {
        site.get_with("/", &[field]).await;
    }
    let fat = "GET / HTTP/1.1\r\nhost: site\r\nconnection: close\r\ncontent-length: 4\r\n\r\na=42";
    exchange(site.address, fat.as_bytes()).await;
    let chunked = "GET / HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\n4\r\na=42\r\n0\r\n\r\n";
    exchange(site.address, chunked.as_bytes()).await;
    assert_eq!(site.get("/").await.body, "6");
    assert!(site.get("/").await.is_hit());
}

#[tokio::test]
async fn a_part_is_not_taken_for_the_whole() {
    let origin = Origin::start(|asked| {
        if asked.headers.contains_key("range") {
            respond(206, &[MINUTE, ("content-range", "bytes 0-0/4")], "p")
        } else {
            respond(200, &[MINUTE], "page")
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    assert_eq!(site.get_with("/", &["range: bytes=0-0"]).await.status, 206);
    assert_eq!(site.get("/").await.body, "page");
}

#[tokio::test]
async fn an_error_that_a_client_provokes_is_not_everybodys() {
    let origin = Origin::start(|asked| {
        if asked.headers.contains_key("x-odd") {
            respond(400, &[], "what?")
        } else {
            respond(200, &[MINUTE], "page")
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    assert_eq!(site.get_with("/", &["x-odd: 1"]).await.status, 400);
    assert_eq!(site.get("/").await.body, "page");
}

#[tokio::test]
async fn a_page_of_one_is_not_cached_because_its_address_looks_like_a_file() {
    let origin = Origin::start(|asked| {
        let who = asked
            .headers
            .get("cookie")
            .map_or("nobody", |who| who.to_str().expect("text"));
        respond(200, &[], who)
    })
    .await;
    let config = "
        routes = [{ path = '/assets/*', class = 'assets' }]
        [classes.assets]
        fresh_for = '1h'
    ";
    let site = Site::new(&origin, config).await;
    for path in [
        "/account/x.css",
        "/account;x.css",
        "/account%3fx.css",
        "/assets/a.css",
    ] {
        assert_eq!(
            site.get_with(path, &["cookie: victim"]).await.body,
            "victim"
        );
        assert_eq!(site.get(path).await.body, "nobody", "{path}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_set_is_for_one_alone() {
    let origin = Origin::start({
        let count = std::sync::atomic::AtomicUsize::new(0);
        move |_| {
            let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let cookie = format!("id={count}");
            respond(200, &[MINUTE, ("set-cookie", &cookie)], &cookie)
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    let asking: Vec<_> = (0..20)
        .map(|_| tokio::spawn(ask_once(site.address)))
        .collect();
    let mut cookies = Vec::new();
    for reply in asking {
        let reply = reply.await.expect("answered");
        assert_eq!(reply.field("set-cookie"), reply.body);
        cookies.push(reply.body);
    }
    cookies.sort_unstable();
    cookies.dedup();
    assert_eq!(cookies.len(), 20);
}

async fn ask_once(address: std::net::SocketAddr) -> Reply {
    ask(address, "GET /", &[]).await
}

/// On a connection that stays open, the body of a request that was refused is not the next request.
#[tokio::test]
async fn a_body_that_nobody_read_is_no_request() {
    let origin = counting(&[]).await;
    let config = "
        bounds = { body = 3 }
        rate_limits = [{ name = 'key', by = 'header:x-key', limit = 1, window = '1h' }]
    ";
    let site = Site::new(&origin, config).await;
    assert_eq!(site.get_with("/", &["x-key: a"]).await.status, 200);
    let inner = "GET /smuggled HTTP/1.1\r\nhost: site\r\n\r\n";
    // Refused by itself; it ends a connection that would stay open.
    let last = "TRACE / HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\r\n";
    for (line, field) in [
        ("POST /", "x-too: large"),
        ("TRACE /", "x-no: method"),
        ("POST /../", "x-no: path"),
        ("POST /", "x-key: a"),
    ] {
        let length = inner.len();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: site\r\n{field}\r\ncontent-length: {length}\r\n\r\n{inner}{last}"
        );
        let answer = exchange(site.address, request.as_bytes()).await;
        let of = |start: &str| answer.matches(start).count();
        // The connection may be closed after the first.
        assert!((1..=2).contains(&of("HTTP/1.1 ")), "{line}: {answer}");
        assert_eq!(of("HTTP/1.1 4"), of("HTTP/1.1 "), "{line}: {answer}");
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn requests_in_a_pipeline_are_answered_one_by_one() {
    let origin = Origin::start(|asked| respond(200, &[MINUTE], asked.uri.path())).await;
    let site = Site::new(&origin, "").await;
    let one = |path| format!("GET {path} HTTP/1.1\r\nhost: site\r\n\r\n");
    let mut stream = open(site.address).await;
    let all = [one("/a"), one("/b"), one("/a")].concat();
    stream.write_all(all.as_bytes()).await.expect("sent");
    let mut text = String::new();
    let read = timeout(SOON, async {
        let mut buffer = [0; 1024];
        while !text.ends_with("/a") || text.matches("HTTP/1.1 200").count() < 3 {
            let count = stream.read(&mut buffer).await.expect("readable");
            assert!(count > 0);
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    read.await.expect("in time");
    let order: Vec<_> = text
        .split("\r\n\r\n")
        .skip(1)
        .map(|body| &body[..2])
        .collect();
    assert_eq!(order, ["/a", "/b", "/a"]);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_leave_half_a_page_behind() {
    let page = "x".repeat(500_000);
    let whole = page.clone();
    let origin = Origin::start(move |_| respond(200, &[MINUTE], &page)).await;
    let site = Site::new(&origin, "").await;
    let mut stream = open(site.address).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: site\r\n\r\n")
        .await
        .expect("sent");
    let mut first = [0; 1000];
    stream.read_exact(&mut first).await.expect("begun");
    drop(stream);
    eventually(SOON, async || {
        let reply = site.get("/").await;
        assert_eq!(reply.body.len(), whole.len());
        reply.is_hit()
    })
    .await;
}

/// An origin that makes its page of what a request says beside its URI, as frameworks do of what proxies say.
async fn credulous(fields: &'static [(&'static str, &'static str)]) -> Origin {
    Origin::start(move |asked| {
        let said = asked.headers.iter();
        let evil = said.filter(|(_, value)| value.as_bytes().windows(4).any(|it| it == b"evil"));
        let names: Vec<_> = evil.map(|(name, _)| name.as_str()).collect();
        respond(200, fields, &names.join(" "))
    })
    .await
}

#[tokio::test]
async fn what_only_proxies_say_poisons_nothing_if_a_client_says_it() {
    let origin = credulous(&[MINUTE]).await;
    let site = Site::new(&origin, "key_fields = ['x-host']").await;
    for (number, field) in [
        "x-forwarded-host: evil",
        "X-Forwarded-Scheme: evil",
        "x-forwarded-port: evil",
        "x-forwarded-prefix: /evil",
        "x-forwarded-server: evil",
        "x_forwarded_host: evil",
        "x-forwarded_proto: evil",
        "x-real-ip: evil",
        "x_real_ip: evil",
        "forwarded: host=evil",
        "x-original-url: /evil",
        "x_original_url: /evil",
        "x_http_method_override: evil",
        "accept_language: evil",
        "x-host: evil",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/{number}");
        site.get_with(&path, &[field]).await;
        assert_eq!(site.get(&path).await.body, "", "{field}");
    }
}

#[tokio::test]
async fn a_field_that_ends_here_selects_no_variant() {
    let origin = Origin::start(|asked| {
        let language = asked.headers.get("accept-language");
        let language = language.map_or("none", |it| it.to_str().expect("text"));
        respond(200, &[MINUTE, ("vary", "accept-language")], language)
    })
    .await;
    let site = Site::new(&origin, "").await;
    let request = "GET / HTTP/1.1\r\nhost: site\r\naccept-language: de\r\n\
        connection: accept-language, close\r\n\r\n";
    let odd = Reply::parse(&exchange(site.address, request.as_bytes()).await);
    assert_eq!(odd.body, "none");
    assert_eq!(
        site.get_with("/", &["accept-language: de"]).await.body,
        "de"
    );
}

#[tokio::test]
async fn an_error_that_large_fields_provoke_is_not_everybodys() {
    for (status, fields) in [
        (431, &[MINUTE][..]),
        (400, &[]),
        (400, &[("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")]),
        (413, &[("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")]),
        (500, &[]),
    ] {
        let origin = Origin::start(move |asked| {
            if asked
                .headers
                .get("x-large")
                .is_some_and(|it| it.len() > 8000)
            {
                respond(status, fields, "too large")
            } else {
                respond(200, &[MINUTE], "page")
            }
        })
        .await;
        let site = Site::new(&origin, "").await;
        let large = format!("x-large: {}", "x".repeat(9000));
        assert_eq!(site.get_with("/", &[&large]).await.status, status);
        assert_eq!(site.get("/").await.body, "page");
        let enormous = format!("x-enormous: {}", "x".repeat(4_000_000));
        let refused = site.get_with("/other", &[&enormous]).await;
        assert!(refused.status == 431 || refused.status == 0);
        assert_eq!(site.get("/other").await.body, "page");
    }
}

#[tokio::test]
async fn what_one_may_see_is_not_shown_to_all() {
    for control in [
        "max-age=60",
        "max-age=60, proxy-revalidate",
        "max-age=60, must-revalidate=1",
        "max-age=60, public=\"x\"",
        "max-age=60, stale-while-revalidate=60, immutable",
    ] {
        let origin = Origin::start(move |asked| {
            let who = asked.headers.get("authorization");
            let who = who.map_or("nobody", |who| who.to_str().expect("text"));
            respond(200, &[("cache-control", control)], who)
        })
        .await;
        let site = Site::new(&origin, "").await;
        for (path, fields) in [("/a", &[][..]), ("/b", &["range: bytes=0-0"])] {
            let mut victim = vec!["authorization: victim"];
            victim.extend(fields);
            assert_eq!(site.get_with(path, &victim).await.body, "victim");
            assert_eq!(site.get(path).await.body, "nobody", "{control}");
        }
    }
}

#[tokio::test]
async fn a_post_decides_about_no_other_uri_than_its_own() {
    let origin = Origin::start(|asked| {
        if asked.method == "POST" {
            let place = String::from_utf8_lossy(&asked.body).into_owned();
            respond(200, &[MINUTE, ("content-location", &place)], "evil")
        } else {
            respond(200, &[MINUTE], "page")
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    for (path, place) in [
        ("/a", "/b"),
        ("/a", "http://victim/a"),
        ("/a?x", "/a"),
        ("/a", "/a?"),
        ("//victim/b", "/b"),
        ("/a", "//victim/a"),
    ] {
        let length = place.len();
        let post = format!(
            "POST {path} HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{place}"
        );
        exchange(site.address, post.as_bytes()).await;
        for host in ["site", "victim"] {
            for path in ["/a", "/b", "/a?x", "/a?", "//victim/b"] {
                let get =
                    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
                let reply = Reply::parse(&exchange(site.address, get.as_bytes()).await);
                assert_ne!(reply.body, "evil", "{path} of {host} after {place}");
            }
        }
    }
}

#[tokio::test]
async fn a_location_on_another_host_invalidates_nothing_there() {
    let origin = Origin::start(|asked| {
        let count = asked.headers.get("x-where");
        let place = count.map_or("/", |it| it.to_str().expect("text"));
        respond(200, &[MINUTE, ("location", place)], "")
    })
    .await;
    let site = Site::new(&origin, "").await;
    let victim = "GET /page HTTP/1.1\r\nhost: victim\r\nconnection: close\r\n\r\n";
    exchange(site.address, victim.as_bytes()).await;
    for (path, place) in [
        ("/x", "http://victim/page"),
        ("/x", "//victim/page"),
        ("//victim/x", "/page"),
        ("//victim/x", "page"),
    ] {
        let field = format!("x-where: {place}");
        ask(site.address, &format!("POST {path}"), &[&field]).await;
        let reply = Reply::parse(&exchange(site.address, victim.as_bytes()).await);
        assert!(reply.is_hit(), "{path} {place}");
    }
}

#[tokio::test]
async fn what_a_client_would_have_cached_is_not_asked() {
    let origin = counting(&[]).await;
    let site = Site::new(
        &origin,
        "targets = ['cdn-cache-control', 'surrogate-control']",
    )
    .await;
    for field in [
        "cdn-cache-control: max-age=600",
        "surrogate-control: max-age=600",
        "cache-control: public, max-age=600, s-maxage=600",
        "expires: Fri, 01 Jan 2100 00:00:00 GMT",
        "cache-groups: \"a\"",
    ] {
        site.get_with("/", &[field]).await;
        assert!(!site.get("/").await.is_hit(), "{field}");
    }
}

#[tokio::test]
async fn many_ranges_cost_no_more_than_the_page() {
    let page = "x".repeat(100_000);
    let whole = page.clone();
    let origin = Origin::start(move |_| respond(200, &[MINUTE], &page)).await;
    let site = Site::new(&origin, "").await;
    site.get("/").await;
    for ranges in [
        vec!["0-"; 1000].join(","),
        ["0-99998", "1-99999"].join(","),
        (0..1000)
            .map(|at| format!("{at}-{at}"))
            .collect::<Vec<_>>()
            .join(","),
    ] {
        let field = format!("range: bytes={ranges}");
        let reply = site.get_with("/", &[&field]).await;
        assert_eq!((reply.status, reply.body.len()), (200, whole.len()));
        assert!(reply.is_hit());
    }
}

#[tokio::test]
async fn who_refuses_a_coding_does_not_get_it() {
    let origin = Origin::start(|asked| {
        let accepted = asked.headers.get("accept-encoding");
        let accepted = accepted.map_or("", |it| it.to_str().expect("text"));
        let takes = accepted.contains("gzip") && !accepted.contains("gzip;q=0");
        let vary = ("vary", "Accept-Encoding");
        match takes {
            true => respond(200, &[MINUTE, vary, ("content-encoding", "gzip")], "gzip"),
            false => respond(200, &[MINUTE, vary], "plain"),
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    for _ in 0..2 {
        for (accepted, body) in [
            ("gzip", "gzip"),
            ("gzip;q=0", "plain"),
            ("gzip;q=0.0", "plain"),
            ("identity, gzip;q=0", "plain"),
            ("identity;q=0, gzip", "gzip"),
            ("", "plain"),
        ] {
            let field = format!("accept-encoding: {accepted}");
            let reply = site.get_with("/", &[&field]).await;
            assert_eq!(reply.body, body, "{accepted}");
            assert_eq!(reply.has("content-encoding"), body == "gzip");
        }
        assert_eq!(site.get("/").await.body, "plain");
    }
}

#[tokio::test]
async fn a_part_that_was_meant_for_who_has_another_is_for_nobody_else() {
    let origin = Origin::start(|asked| {
        let place = ("content-range", "bytes 0-3/8");
        let tag = ("etag", "\"1\"");
        match asked.headers.contains_key("if-range") {
            true => respond(206, &[MINUTE, tag, place], "gzip"),
            false => respond(
                206,
                &[MINUTE, tag, place, ("content-encoding", "gzip")],
                "gzip",
            ),
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    let range = "range: bytes=0-3";
    site.get_with("/", &[range, "if-range: \"1\""]).await;
    let other = site.get_with("/", &[range]).await;
    assert_eq!(other.field("content-encoding"), "gzip");
}

#[tokio::test]
async fn two_names_of_the_host_make_no_entry_of_the_wrong_one() {
    let origin = Origin::start(|asked| {
        let host = asked.headers["host"].to_str().expect("text");
        respond(200, &[MINUTE], host)
    })
    .await;
    let site = Site::new(&origin, "").await;
    for request in [
        "GET http://evil/ HTTP/1.1\r\nhost: site\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: site\r\nhost: evil\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: evil\r\nhost: site\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: evil@site\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: site/evil\r\nconnection: close\r\n\r\n",
    ] {
        exchange(site.address, request.as_bytes()).await;
        assert_eq!(site.get("/").await.body, "site", "{request}");
    }
}

#[tokio::test]
async fn an_answer_to_head_does_not_change_the_page_by_another_request() {
    let origin = Origin::start(|asked| {
        if asked.method == "HEAD" {
            respond(
                200,
                &[MINUTE, ("etag", "\"1\""), ("content-type", "text/evil")],
                "evil",
            )
        } else {
            respond(
                200,
                &[("cache-control", "max-age=60"), ("etag", "\"1\"")],
                "longer page",
            )
        }
    })
    .await;
    let site = Site::new(&origin, "").await;
    site.get("/").await;
    ask(site.address, "HEAD /", &["cache-control: no-cache"]).await;
    let page = site.get("/").await;
    assert_eq!(page.body, "longer page");
    assert_ne!(page.field("content-type"), "text/evil");
}

/// CVE-2021-23336: a parameter that the cache leaves out hides one that the origin sees.
#[tokio::test]
async fn a_parameter_is_not_hidden_in_one_that_is_left_out() {
    let origin = Origin::start(|asked| {
        let query = asked.uri.query().unwrap_or("");
        let mut parameters = query.split(['&', ';']);
        let callback = parameters.find_map(|parameter| parameter.strip_prefix("callback="));
        respond(200, &[MINUTE], callback.unwrap_or("none"))
    })
    .await;
    let site = Site::new(&origin, "query = { ignore_tracking = true }").await;
    for odd in ["utm_source=1;callback=evil", "gclid;callback=evil"] {
        assert_eq!(site.get(&format!("/?{odd}")).await.body, "evil");
        assert_eq!(site.get("/").await.body, "none", "{odd}");
        assert_eq!(site.get("/?utm_source=2").await.body, "none", "{odd}");
    }
}
