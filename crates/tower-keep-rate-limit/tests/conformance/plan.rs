//! The layer of a schedule: some policies, some keys.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request::Parts, response};
use tower_keep_rate_limit::{Key, Policy, RateLimitLayer, Subject};
use tower_keep_store::{Identity, Store};

use tower_keep_test_support::Random;

use crate::{
    operation::{Ask, Part},
    spec::{Kind, Spec},
};

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) policies: Vec<PolicyPlan>,
    pub(crate) keys: u8,
    /// Whether the clock may go back.
    pub(crate) goes_back: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct PolicyPlan {
    pub(crate) name: String,
    pub(crate) spec: Spec,
    pub(crate) by: By,
    pub(crate) reserve: Option<u32>,
    pub(crate) is_shadow: bool,
    /// Whether the outcome decides the cost.
    pub(crate) settles: bool,
    pub(crate) source: Source,
}

/// Where the key is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Function,
    LaterFunction,
    Header,
    User,
}

/// Where the quota comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Fixed,
    Request,
    Adjustable,
}

impl Plan {
    pub(crate) fn random(random: &mut Random, name: &str) -> Self {
        let policies = 1 + random.few(3);
        let policy = |index: u32| PolicyPlan::random(random, format!("{name}-{index}"));
        Self {
            policies: (0..policies).map(policy).collect(),
            keys: 2,
            goes_back: random.one_in(3),
        }
    }

    pub(crate) fn of(policies: Vec<PolicyPlan>) -> Self {
        Self {
            policies,
            keys: 1,
            goes_back: false,
        }
    }

    pub(crate) fn has_slots(&self) -> bool {
        let mut policies = self.policies.iter();
        policies.any(|policy| policy.spec.kind == Kind::Slots)
    }

    pub(crate) fn layer(&self, store: Store) -> RateLimitLayer {
        let builder = RateLimitLayer::builder(store).refuse_with(|_| Response::new(Bytes::new()));
        let policies = self.policies.iter().enumerate();
        let layer = policies.fold(builder, |builder, (index, policy)| {
            builder.policy(policy.build(index))
        });
        layer.build().expect("makes sense")
    }
}

impl PolicyPlan {
    pub(crate) fn plain(name: &str, spec: Spec) -> Self {
        Self {
            name: name.to_owned(),
            spec,
            by: By::Function,
            reserve: None,
            is_shadow: false,
            settles: false,
            source: Source::Fixed,
        }
    }

    fn random(random: &mut Random, name: String) -> Self {
        let spec = Spec::random(random);
        let reserve =
            (spec.most() > 1 && random.one_in(4)).then(|| 1 + random.few(spec.most() - 1));
        Self {
            name,
            spec,
            by: random.pick(&[By::Function, By::LaterFunction, By::Header, By::User]),
            reserve,
            is_shadow: random.one_in(5),
            settles: spec.kind != Kind::Slots && random.one_in(3),
            source: match random.below(5) {
                0 => Source::Adjustable,
                1 => Source::Request,
                _ => Source::Fixed,
            },
        }
    }

    fn build(&self, index: usize) -> Policy {
        let mut policy = Policy::new(self.name.clone(), self.spec.quota())
            .by(self.by.key())
            .cost(move |request| part(request, index).cost);
        if let Some(units) = self.reserve {
            policy = policy.reserve(units, |request| ask(request).is_critical);
        }
        if self.settles {
            policy = policy.outcome_cost(move |response| outcome(response, index));
        }
        policy = match self.source {
            Source::Fixed => policy,
            Source::Request => {
                policy.quota_by(move |request| part(request, index).spec.map(Spec::quota))
            }
            Source::Adjustable => policy.adjustable(),
        };
        if self.is_shadow {
            policy = policy.shadow();
        }
        policy
    }

    /// The quota of a request, where it comes from there.
    pub(crate) fn asked_spec(&self, random: &mut Random) -> Option<Spec> {
        (self.source == Source::Request && random.one_in(2)).then(|| self.spec.instead(random))
    }
}

impl By {
    fn key(self) -> Key {
        match self {
            Self::Function => Key::from_fn(|request| Some(text(ask(request).key))),
            Self::LaterFunction => Key::from_async_fn(|request| {
                let key = text(ask(request).key);
                async move { Some(key) }
            }),
            Self::Header => Key::header("x-key"),
            Self::User => Key::user(),
        }
    }

    pub(crate) fn subject(self, key: u8) -> Subject {
        match self {
            Self::Function | Self::LaterFunction => Subject::custom(text(key)),
            Self::Header => Subject::header(text(key)),
            Self::User => Subject::user(text(key)),
        }
    }
}

/// What a key is called, wherever it is.
pub(crate) fn text(key: u8) -> String {
    format!("k{key}")
}

pub(crate) fn identity(key: u8) -> Identity {
    Identity::new(text(key))
}

fn ask(request: &Parts) -> &Ask {
    let ask = request.extensions.get::<Arc<Ask>>();
    ask.expect("every request carries what it asks for")
}

fn part(request: &Parts, index: usize) -> &Part {
    &ask(request).parts[index]
}

/// The handler passes on what was asked for.
fn outcome(response: &response::Parts, index: usize) -> u32 {
    let ask = response.extensions.get::<Arc<Ask>>();
    ask.expect("passed on").parts[index].outcome
}
