//! Rate limits at the gateway.

use crate::common::{Origin, Site, respond};

#[tokio::test]
async fn an_address_and_a_key_have_their_limits_and_hits_count() {
    let origin = Origin::start(|_| respond(200, &[("cache-control", "max-age=60")], "")).await;
    let config = "
        rate_limits = [
            { name = 'key', by = 'header:x-api-key', limit = 2, window = '1h' },
            { name = 'address', by = 'address', limit = 4, window = '1h' },
        ]
    ";
    let site = Site::new(&origin, config).await;
    let key = ["x-api-key: a"];
    assert_eq!(site.get_with("/", &key).await.status, 200);
    assert_eq!(site.get_with("/", &key).await.status, 200);
    let refused = site.get_with("/", &key).await;
    assert_eq!(refused.status, 429);
    assert!(refused.has("retry-after") && refused.field("ratelimit").contains("\"key\""));
    // Refusals cost nothing.
    assert_eq!(site.get("/").await.status, 200);
    assert_eq!(site.get("/").await.status, 200);
    assert_eq!(site.get("/").await.status, 429);
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn behind_a_trusted_proxy_clients_are_told_apart() {
    let origin = Origin::start(|_| respond(200, &[], "")).await;
    let config = "
        trusted_proxies = ['127.0.0.1/32']
        rate_limits = [{ name = 'address', by = 'address', limit = 1, window = '1h' }]
    ";
    let site = Site::new(&origin, config).await;
    for (client, status) in [("1.1.1.1", 200), ("2.2.2.2", 200), ("1.1.1.1", 429)] {
        let said = format!("x-forwarded-for: {client}");
        assert_eq!(
            site.get_with("/", &[&said]).await.status,
            status,
            "{client}"
        );
    }
}
