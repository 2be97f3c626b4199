//! Options that make no sense are found when the layer is built, and the error says which.

use std::time::Duration;

use tower_keep_rate_limit::{Key, Policy, Quota, RateLimitLayer, RateLimitLayerBuilder};
use tower_keep_store::Store;

const SECOND: Duration = Duration::from_secs(1);

/// What is said of a layer of these policies.
fn said(policies: impl IntoIterator<Item = Policy>) -> String {
    let builder = RateLimitLayer::builder(Store::memory());
    let builder = policies
        .into_iter()
        .fold(builder, RateLimitLayerBuilder::policy);
    builder.build().expect_err("makes no sense").to_string()
}

/// Each of these is refused, by its name and for its fault, wherever among the policies it stands.
fn check(faults: impl IntoIterator<Item = (Policy, &'static str)>, name: &str) {
    let named = format!("policy {name:?}: ");
    for (policy, fault) in faults {
        let good = Policy::new("good", Quota::per_second(1));
        for policies in [vec![policy.clone()], vec![good, policy]] {
            let said = said(policies);
            assert!(said.starts_with(&named), "{fault}: {said:?}");
            assert!(said.contains(fault), "{fault}: {said:?}");
        }
    }
}

fn of(quota: Quota) -> Policy {
    Policy::new("p", quota)
}

fn by(key: impl Into<Key>) -> Policy {
    of(Quota::per_second(5)).by(key)
}

#[test]
fn quotas() {
    let nothing = "limit of 0";
    let short = "at least a millisecond";
    let burst = "burst of 0";
    let both = "not with strict";
    check(
        [
            (of(Quota::per_second(0)), nothing),
            (of(Quota::per_day(0).strict()), nothing),
            (of(Quota::per_day(0).fixed_window()), nothing),
            (of(Quota::concurrent(0)), nothing),
            (of(Quota::new(1, Duration::ZERO)), short),
            (of(Quota::new(1, Duration::from_micros(999))), short),
            (
                of(Quota::new(1, Duration::from_nanos(999_000)).strict()),
                short,
            ),
            (of(Quota::new(1, Duration::MAX)), "at most 366 days"),
            (of(Quota::per_second(1).burst(0)), burst),
            (of(Quota::concurrent(1).burst(0)), burst),
            (of(Quota::per_second(1).burst(2).strict()), both),
            (of(Quota::per_second(1).strict().burst(2)), both),
            (of(Quota::per_second(1).burst(2).fixed_window()), both),
            (of(Quota::concurrent(1).burst(2)), both),
            (of(Quota::per_day(1).burst(1000)), "366 days"),
        ],
        "p",
    );
}

#[test]
fn a_quota_is_counted_in_one_way() {
    let quota = Quota::per_day(5);
    let fault = "not two of them";
    check(
        [
            (of(Quota::concurrent(5).strict()), fault),
            (of(Quota::concurrent(5).fixed_window()), fault),
            (of(quota.strict().fixed_window()), fault),
            (of(quota.fixed_window().strict()), fault),
            (of(quota.fixed_window().strict().fixed_window()), fault),
            (of(Quota::concurrent(5).strict().burst(2)), fault),
        ],
        "p",
    );
    for quota in [quota.strict().strict(), quota.fixed_window().fixed_window()] {
        let builder = RateLimitLayer::builder(Store::memory()).policy(of(quota));
        builder.build().expect("the same twice is the same");
    }
}

#[test]
fn a_policy_counts_outcomes_in_one_way() {
    let policy = || of(Quota::per_second(5));
    let fault = "outcome_cost, count_if";
    check(
        [
            (policy().count_if(|_| true).outcome_cost(|_| 1), fault),
            (policy().outcome_cost(|_| 1).count_if(|_| true), fault),
            (policy().count_if(|_| true).count_if(|_| false), fault),
        ],
        "p",
    );
}

#[test]
fn a_quota_comes_from_one_place() {
    let policy = || of(Quota::per_second(5));
    let fault = "quota_by, quota_by_async, adjustable";
    check(
        [
            (policy().quota_by(|_| None).adjustable(), fault),
            (policy().adjustable().quota_by(|_| None), fault),
            (
                policy().adjustable().quota_by_async(|_| async { None }),
                fault,
            ),
            (
                policy()
                    .quota_by_async(|_| async { None })
                    .quota_by(|_| None),
                fault,
            ),
        ],
        "p",
    );
}

#[test]
fn a_shadow_bans_nobody() {
    let policy = || of(Quota::per_second(5));
    let fault = "a shadow refuses nobody";
    check(
        [
            (policy().shadow().ban_after(1, SECOND, SECOND), fault),
            (policy().ban_after(1, SECOND, SECOND).shadow(), fault),
        ],
        "p",
    );
}

#[test]
fn deadlines() {
    let build = |deadline| {
        let builder = RateLimitLayer::builder(Store::memory()).policy(of(Quota::per_second(5)));
        builder.deadline(deadline).build()
    };
    let hour = Duration::from_secs(3600);
    for deadline in [
        Duration::ZERO,
        hour + Duration::from_nanos(1),
        Duration::MAX,
    ] {
        let said = build(deadline).expect_err("makes no sense").to_string();
        assert!(said.contains("deadline"), "{deadline:?}: {said:?}");
    }
    for deadline in [Duration::from_millis(1), hour] {
        build(deadline).expect("makes sense");
    }
}

#[test]
fn names() {
    let quota = Quota::per_second(1);
    for name in ["é", "a\nb", "\u{0}", "tab\t", "\u{7f}", "日本"] {
        check([(Policy::new(name, quota), "printable ASCII")], name);
    }
    check([(Policy::new("", quota), "needs a name")], "");
    let long = "n".repeat(65);
    check([(Policy::new(long.as_str(), quota), "at most 64")], &long);
}

#[test]
fn policies_of_one_name() {
    let policy = || of(Quota::per_second(1));
    let said = said([
        policy(),
        Policy::new("other", Quota::per_second(1)),
        policy(),
    ]);
    assert!(said.starts_with("policy \"p\": "), "{said:?}");
    assert!(said.contains("same name"), "{said:?}");
}

#[test]
fn no_policy() {
    let said = said([]);
    assert!(said.contains("without a policy"), "{said:?}");
}

#[test]
fn reserves() {
    let fault = "reserve";
    let quota = Quota::per_second(5);
    check(
        [
            (of(quota).reserve(5, |_| true), fault),
            (of(quota).reserve(u32::MAX, |_| true), fault),
            (of(quota.burst(2)).reserve(2, |_| true), fault),
            (of(Quota::concurrent(1)).reserve(1, |_| true), fault),
        ],
        "p",
    );
    let most = of(quota.burst(9)).reserve(8, |_| true);
    let builder = RateLimitLayer::builder(Store::memory()).policy(most);
    builder.build().expect("one is left");
}

#[test]
fn bans_and_outcomes() {
    let quota = Quota::per_second(5);
    let slots = Quota::concurrent(5);
    let year = Duration::from_secs(366 * 24 * 3600);
    check(
        [
            (of(quota).ban_after(0, SECOND, SECOND), "0 refusals"),
            (
                of(quota).ban_after(1, Duration::ZERO, SECOND),
                "at least a millisecond",
            ),
            (
                of(quota).ban_after(1, 2 * SECOND, SECOND),
                "the longest no less",
            ),
            (
                of(quota).ban_after(1, SECOND, year + SECOND),
                "at most 366 days",
            ),
            (of(slots).ban_after(1, SECOND, SECOND), "not for concurrent"),
            (of(slots).outcome_cost(|_| 1), "not for concurrent"),
            (of(slots).count_if(|_| true), "not for concurrent"),
        ],
        "p",
    );
}

#[test]
fn leases() {
    for epsilon in [0.0, -0.1, 0.500_001, 1.0, f64::NAN, f64::INFINITY, -0.0] {
        let builder = RateLimitLayer::builder(Store::memory()).policy(of(Quota::per_second(5)));
        let error = builder.allow_leases(epsilon).build();
        let said = error.expect_err("makes no sense").to_string();
        assert!(said.contains("allow_leases"), "{epsilon}: {said:?}");
        assert!(said.contains("at most 0.5"), "{epsilon}: {said:?}");
    }
    for epsilon in [0.5, f64::MIN_POSITIVE] {
        let builder = RateLimitLayer::builder(Store::memory()).policy(of(Quota::per_second(5)));
        builder.allow_leases(epsilon).build().expect("makes sense");
    }
}

#[test]
fn keys() {
    let address = Key::client_ip;
    let prefix = "1 to 128 bits";
    check(
        [
            (
                by(address().trusted_proxies(["10.0.0.0/33"])),
                "\"10.0.0.0/33\"",
            ),
            (
                by(address().trusted_proxies(["10.0.0.1", "proxy"])),
                "\"proxy\"",
            ),
            (by(address().allow([""])), "\"\""),
            (by(address().ipv6_prefix(0)), prefix),
            (by(address().ipv6_prefix(129)), prefix),
            (by(Key::header("x key")), "\"x key\""),
            (by(Key::header("")), "\"\""),
            (by(Key::user().or(Key::header("é"))), "\"é\""),
            (by(Key::user().and(address().ipv6_prefix(0))), prefix),
        ],
        "p",
    );
}
