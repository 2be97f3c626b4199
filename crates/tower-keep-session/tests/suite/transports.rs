//! Tickets in cookies, as bearers, and in fields of any name: in HTTP, and in the metadata of gRPC.

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower_keep_session::{Session, SessionCookie, SessionLayer, Transport};

use crate::common::{Answer, Browser, Side, fields, on_both_stores};

const FIELD: HeaderName = HeaderName::from_static("x-session");

fn layer(side: &Side, transports: &[Transport]) -> SessionLayer {
    let add = |builder: tower_keep_session::SessionLayerBuilder, transport: &Transport| {
        builder.transport(transport.clone())
    };
    let builder = transports.iter().fold(side.builder(), add);
    builder.build().expect("makes sense")
}

fn field(answer: &Answer, name: &str) -> HeaderValue {
    answer.headers().get(name).cloned().expect("a ticket")
}

fn bearer(ticket: &HeaderValue) -> HeaderValue {
    let ticket = ticket.to_str().expect("printable");
    HeaderValue::from_str(&format!("Bearer {ticket}")).expect("printable")
}

async fn a_bearer_is_told_its_ticket_in_a_field(side: Side) {
    let mut client = Browser::new(&layer(&side, &[Transport::Bearer]));
    let answer = client.login("ada").await;
    assert_eq!(fields(&answer, "set-cookie"), [""; 0]);
    assert_eq!(fields(&answer, "cache-control"), ["no-store"]);
    assert_eq!(fields(&answer, "vary"), ["authorization"]);
    let ticket = field(&answer, "session-ticket");
    assert!(ticket.is_sensitive());
    client
        .headers
        .insert(header::AUTHORIZATION, bearer(&ticket));
    assert_eq!(client.user().await.as_deref(), Some("ada"));
    let lower = bearer(&ticket)
        .to_str()
        .expect("text")
        .replace("Bearer", "bearer");
    client
        .headers
        .insert(header::AUTHORIZATION, lower.parse().expect("printable"));
    assert_eq!(client.user().await.as_deref(), Some("ada"));
    let (_, answer) = client
        .visit(async |session| session.logout().await.expect("logs out"))
        .await;
    assert_eq!(field(&answer, "session-ticket"), "");
    assert_eq!(client.user().await, None);
}

async fn tokens_of_others_are_none(side: Side) {
    let layer = layer(&side, &[Transport::Bearer]);
    for value in [
        "Basic YTpi",
        "Bearer",
        "Bearer ",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Digest x",
    ] {
        let mut client = Browser::new(&layer);
        client
            .headers
            .insert(header::AUTHORIZATION, HeaderValue::from_static(value));
        assert_eq!(client.user().await, None, "{value}");
    }
    assert_eq!(layer.stats().ambiguous, 0);
}

async fn metadata_of_grpc_carries_a_ticket(side: Side) {
    let mut client = Browser::new(&layer(&side, &[Transport::Header(FIELD)]));
    client.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    let ticket = field(&client.login("ada").await, "x-session");
    client.headers.insert(FIELD, ticket.clone());
    assert_eq!(client.user().await.as_deref(), Some("ada"));
    client.headers.append(FIELD, ticket);
    assert_eq!(client.user().await, None, "two are one too many");
}

async fn transports_are_tried_in_their_order_and_answers_go_the_way_requests_came(side: Side) {
    let order = [
        Transport::Header(FIELD),
        Transport::Bearer,
        Transport::Cookie(SessionCookie::default()),
    ];
    let layer = layer(&side, &order);
    let mut client = Browser::new(&layer);
    // Without a ticket: the first way.
    let in_field = field(&client.login("by field").await, "x-session");
    let as_bearer = field(&client.login("by bearer").await, "x-session");
    let in_cookie = field(&client.login("by cookie").await, "x-session");
    let in_cookie = in_cookie.to_str().expect("printable");
    client.cookie = Some(format!("__Host-id={in_cookie}"));
    assert_eq!(client.user().await.as_deref(), Some("by cookie"));
    let rotate = async |session: Session| session.rotate().await.expect("rotates");
    let (_, answer) = client.visit(rotate).await;
    assert_eq!(fields(&answer, "set-cookie").len(), 1, "the way it came");
    assert_eq!(
        fields(&answer, "vary"),
        ["x-session", "authorization", "cookie"]
    );
    client
        .headers
        .insert(header::AUTHORIZATION, bearer(&as_bearer));
    assert_eq!(client.user().await.as_deref(), Some("by bearer"));
    client.headers.insert(FIELD, in_field);
    assert_eq!(client.user().await.as_deref(), Some("by field"));
    client
        .headers
        .insert(FIELD, HeaderValue::from_static("garbage"));
    assert_eq!(client.user().await.as_deref(), Some("by bearer"));
}

async fn a_call_that_could_not_be_stored_is_answered_as_grpc(side: Side) {
    let builder = side
        .builder()
        .transport(Transport::Header(FIELD))
        .size_limit(20);
    let mut client = Browser::new(&builder.build().expect("makes sense"));
    let ticket = field(&client.set("a", 1).await, "x-session");
    client.headers.insert(FIELD, ticket);
    let mut other = client.clone();
    client.method = Method::POST;
    client.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc+proto"),
    );
    let (_, answer) = client
        .visit(async |session: Session| {
            session.set("b", &1_234_567_890).expect("is noted");
            other.set("c", 1_234_567_890).await;
        })
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(fields(&answer, "content-type"), ["application/grpc"]);
    assert_eq!(fields(&answer, "grpc-status"), ["8"]);
}

on_both_stores!(
    a_bearer_is_told_its_ticket_in_a_field,
    tokens_of_others_are_none,
    metadata_of_grpc_carries_a_ticket,
    transports_are_tried_in_their_order_and_answers_go_the_way_requests_came,
    a_call_that_could_not_be_stored_is_answered_as_grpc,
);
