//! One schedule, on both stores and in the model.

use std::time::Duration;

use tower_keep_store::Store;
use tower_keep_test_support::{Random, holds_within};

use crate::{
    bounds::Bounds,
    common::{LONG, START},
    model::{Model, Passed},
    operation::{Ask, Next, Operation},
    plan::Plan,
    side::Side,
    spec::Kind,
    told::Told,
};

pub(crate) struct Run {
    pub(crate) title: String,
    pub(crate) plan: Plan,
    pub(crate) sides: [Side; 2],
    model: Model,
    bounds: Bounds,
    under_way: Vec<(u8, Told, Passed)>,
    read: Vec<(u8, Passed)>,
    pub(crate) trace: Vec<(Option<u8>, String)>,
}

impl Run {
    pub(crate) fn new(title: String, plan: Plan, stores: &[Store; 2]) -> Self {
        let [memory, redis] = stores;
        let sides = [
            Side::new("memory", memory.clone(), &plan),
            Side::new("redis", redis.clone(), &plan),
        ];
        let run = Self {
            title,
            model: Model::new(&plan),
            bounds: Bounds::new(&plan),
            plan,
            sides,
            under_way: Vec::new(),
            read: Vec::new(),
            trace: Vec::new(),
        };
        for side in &run.sides {
            let back = START.as_micros().wrapping_sub(side.now());
            side.step(i64::from_ne_bytes(back.to_ne_bytes()));
        }
        run
    }

    pub(crate) async fn random(&mut self, random: &mut Random, operations: u64) {
        let start = random.below(100_000_000_000);
        self.apply(&Operation::Step(i64::try_from(start).expect("a day")))
            .await;
        self.make_room().await;
        for _ in 0..operations {
            let mut next = Next {
                random,
                plan: &self.plan,
                model: &self.model,
                now: self.now(),
                under_way: self.under_way.len(),
                read: self.read.len(),
            };
            let operation = next.operation();
            self.apply(&operation).await;
        }
        self.finish().await;
    }

    /// Gives each bucket its place, and a reason to keep it: one that is made later may take the place of an
    /// idle one, which by a clock that goes back is idle no more.
    async fn make_room(&mut self) {
        if !self.plan.goes_back {
            return;
        }
        for key in 0..self.plan.keys {
            let ask = Ask::one(key, self.plan.policies.len());
            let is_slow = false;
            self.apply(&Operation::Ask { ask, is_slow }).await;
        }
    }

    async fn finish(&mut self) {
        while !self.under_way.is_empty() {
            self.apply(&Operation::Answer(0)).await;
        }
        while !self.read.is_empty() {
            self.apply(&Operation::End(0)).await;
        }
        let counted = self.sides.each_ref().map(|side| {
            let stats = side.stats();
            (stats.allowed, stats.refused, stats.shadow_refused)
        });
        let [memory, redis] = counted;
        assert_eq!(memory, redis, "statistics of {}", self.title);
    }

    pub(crate) async fn apply(&mut self, operation: &Operation) {
        let now = self.now();
        self.trace
            .push((operation.key(), format!("{now}: {operation:?}")));
        match operation {
            Operation::Ask { ask, is_slow } => self.ask(ask, *is_slow).await,
            Operation::Answer(place) => self.answer(*place).await,
            Operation::End(place) => self.end(*place).await,
            Operation::Peek(policy, key) => self.peek(*policy, *key).await,
            Operation::Take(policy, key, at_most) => self.take(*policy, *key, *at_most).await,
            Operation::Reset(policy, key) => self.reset(*policy, *key).await,
            Operation::Ban(policy, key, length) => {
                self.model.ban(*policy, *key, Some(now + length));
                for side in &self.sides {
                    side.ban(*policy, *key, *length).await;
                }
            }
            Operation::Unban(policy, key) => {
                self.model.ban(*policy, *key, None);
                for side in &self.sides {
                    side.unban(*policy, *key).await;
                }
            }
            Operation::Adjust(policy, key, spec) => {
                self.model.adjust(*policy, *key, *spec);
                for side in &self.sides {
                    side.adjust(*policy, *key, *spec).await;
                }
            }
            Operation::Step(by) => {
                for side in &self.sides {
                    side.step(*by);
                }
                self.bounds.step(*by);
            }
        }
    }

    async fn ask(&mut self, ask: &Ask, is_slow: bool) {
        let (told, passed) = self.model.ask(ask, self.now());
        let is_under_way = is_slow && passed.is_some();
        let expected = match is_under_way {
            true => told.without_fields(),
            false => told.clone(),
        };
        for side in 0..2 {
            let answer = match is_slow {
                true => self.sides[side].begin(ask).await,
                false => self.sides[side].ask(ask).await,
            };
            self.check(side, ask.key, &expected, &answer);
        }
        if let Some(passed) = passed {
            let charges = self.model.charges(ask);
            self.bounds.charge(&charges, ask.key, &told);
            match is_under_way {
                true => self.under_way.push((ask.key, told, passed)),
                false => self.settle(ask.key, passed).await,
            }
        }
    }

    async fn answer(&mut self, place: usize) {
        let (key, told, passed) = self.under_way.swap_remove(place);
        for side in 0..2 {
            let answer = self.sides[side].answer(place).await;
            self.check(side, key, &told, &answer);
        }
        self.settle(key, passed).await;
    }

    async fn end(&mut self, place: usize) {
        let (key, passed) = self.read.swap_remove(place);
        for side in &mut self.sides {
            side.end(place);
        }
        self.model.release(&passed);
        if self.plan.has_slots() {
            self.wait_for_all(key).await;
        }
    }

    async fn take(&mut self, policy: usize, key: u8, at_most: u32) {
        let expected = self.model.take(policy, key, at_most, self.now());
        self.bounds.forget(policy, key);
        for side in 0..2 {
            let taken = self.sides[side].take(policy, key, at_most).await;
            self.check(side, key, &expected, &taken);
        }
    }

    async fn reset(&mut self, policy: usize, key: u8) {
        self.model.reset(policy, key);
        self.bounds.forget(policy, key);
        for side in &self.sides {
            side.reset(policy, key).await;
        }
    }

    /// The response has come: what it costs after all is put right, on Redis some time later.
    async fn settle(&mut self, key: u8, passed: Passed) {
        self.model.settle(&passed, self.now());
        if self.plan.policies.iter().any(|policy| policy.settles) {
            for (policy, of) in self.plan.policies.iter().enumerate() {
                if of.settles {
                    self.bounds.forget(policy, key);
                }
            }
            self.wait_for_all(key).await;
        }
        self.read.push((key, passed));
    }

    async fn wait_for_all(&self, key: u8) {
        for (index, policy) in self.plan.policies.iter().enumerate() {
            if policy.settles || policy.spec.kind == Kind::Slots {
                self.peek(index, key).await;
            }
        }
    }

    async fn peek(&self, policy: usize, key: u8) {
        let expected = self.model.peek(policy, key, self.now());
        for side in 0..2 {
            let at_once = self.sides[side].peek(policy, key).await;
            let is_so = at_once == expected
                || holds_within(PATIENCE, async || {
                    self.sides[side].peek(policy, key).await == expected
                })
                .await;
            if !is_so {
                let last = self.sides[side].peek(policy, key).await;
                self.check(side, key, &expected, &last);
            }
        }
    }

    fn now(&self) -> u64 {
        self.sides[0].now()
    }
}

const PATIENCE: Duration = LONG;
