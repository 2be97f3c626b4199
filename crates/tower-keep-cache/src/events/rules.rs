//! What depends on what.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use tower_keep_store::{ConfigError, Mode};

use super::changed::{Changed, What};
use crate::dependency::Dependency;

/// Which entries depend on which changes, in one place.
///
/// ```
/// use tower_keep_cache::{Dependency, Rules, Tag};
///
/// let rules = Rules::new()
///     .on("candidate", |changed| [Tag::of("candidate", changed.id()), Tag::new("candidates")])
///     // Both the job that it left and the one that it came to.
///     .on("candidate", |changed| {
///         changed.values("job").map(|job| Tag::of("job", job)).collect::<Vec<_>>()
///     })
///     // Figures may be a little late, where their class has a window for that.
///     .on_soft("candidate", |_| [Dependency::class("dashboard-statistics")])
///     // `DELETE FROM candidates`.
///     .on_all("candidate", [Tag::new("candidates")])
///     .ignore("audit");
/// # let _ = rules;
/// ```
///
/// An event of a kind that no rule names, and that is not [ignored](Self::ignore), invalidates nothing: kinds
/// come and go with deploys, and a feed may carry much that nobody caches. It is logged and
/// [counted](crate::CacheStats::unknown_events). Where every kind matters, say so:
/// `.otherwise(|_| [Dependency::everything()])`.
///
/// A rule that panics counts as one that names everything.
#[derive(Clone, Default)]
#[must_use]
pub struct Rules {
    kinds: HashMap<Box<str>, Vec<Rule>>,
    ignored: HashSet<Box<str>>,
    otherwise: Option<Rule>,
    all: HashMap<Box<str>, Vec<Dependency>>,
    missed: Option<Vec<Dependency>>,
    fault: Option<String>,
}

#[derive(Clone)]
struct Rule {
    mode: Mode,
    judge: Arc<Judge>,
}

type Judge = dyn Fn(&Changed) -> Vec<Dependency> + Send + Sync;

impl Rules {
    /// No rules yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a change of one thing of this kind invalidates, hard. Several rules of one kind add up.
    pub fn on<D>(
        self,
        kind: impl Into<Box<str>>,
        rule: impl Fn(&Changed) -> D + Send + Sync + 'static,
    ) -> Self
    where
        D: IntoIterator,
        D::Item: Into<Dependency>,
    {
        self.add(kind.into(), Rule::new(Mode::Hard, rule))
    }

    /// What it makes stale only: it may go on answering where its class or its fields allow that
    /// (stale-while-revalidate, stale-if-error). What another rule invalidates hard is so.
    pub fn on_soft<D>(
        self,
        kind: impl Into<Box<str>>,
        rule: impl Fn(&Changed) -> D + Send + Sync + 'static,
    ) -> Self
    where
        D: IntoIterator,
        D::Item: Into<Dependency>,
    {
        self.add(kind.into(), Rule::new(Mode::Soft, rule))
    }

    /// What [`Changed::all`] of this kind invalidates, hard. Default: everything.
    pub fn on_all<D>(mut self, kind: impl Into<Box<str>>, dependencies: D) -> Self
    where
        D: IntoIterator,
        D::Item: Into<Dependency>,
    {
        let kind = kind.into();
        let dependencies: Vec<_> = dependencies.into_iter().map(Into::into).collect();
        self.check(
            !dependencies.is_empty(),
            format_args!("all of {kind:?} concern nothing: that is what ignore is for"),
        );
        let is_first = self.all.insert(kind.clone(), dependencies).is_none();
        self.check(is_first, format_args!("all of {kind:?} are given twice"));
        self
    }

    /// What [`Changed::missed`] invalidates, hard: all that any rule may name. Default: everything.
    pub fn on_missed<D>(mut self, dependencies: D) -> Self
    where
        D: IntoIterator,
        D::Item: Into<Dependency>,
    {
        let dependencies: Vec<_> = dependencies.into_iter().map(Into::into).collect();
        let is_something = !dependencies.is_empty();
        self.check(is_something, format_args!("what was missed is nothing"));
        let is_first = self.missed.replace(dependencies).is_none();
        self.check(is_first, format_args!("what was missed is given twice"));
        self
    }

    /// Nothing depends on this kind.
    pub fn ignore(mut self, kind: impl Into<Box<str>>) -> Self {
        self.ignored.insert(kind.into());
        self
    }

    /// What a change of a kind without a rule invalidates, hard. Default: nothing.
    pub fn otherwise<D>(mut self, rule: impl Fn(&Changed) -> D + Send + Sync + 'static) -> Self
    where
        D: IntoIterator,
        D::Item: Into<Dependency>,
    {
        let rule = Rule::new(Mode::Hard, rule);
        let is_first = self.otherwise.replace(rule).is_none();
        self.check(is_first, format_args!("otherwise is given twice"));
        self
    }

    /// Finds what makes no sense.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        if let Some(fault) = self.fault {
            return Err(ConfigError::new(format!("rules: {fault}")));
        }
        let named = || self.kinds.keys().chain(self.all.keys());
        let fault = |what| Err(ConfigError::new(format!("rules: {what}")));
        if named().chain(&self.ignored).any(|kind| kind.is_empty()) {
            return fault("a kind without a name".to_owned());
        }
        if let Some(kind) = named().find(|kind| self.ignored.contains(*kind)) {
            return fault(format!("{kind:?} is ignored and has a rule"));
        }
        let is_whole = |kind: &str| self.kinds.contains_key(kind) || self.otherwise.is_some();
        if let Some(kind) = self.all.keys().find(|kind| !is_whole(kind)) {
            return fault(format!(
                "there is a rule for all of {kind:?}, and none for one"
            ));
        }
        Ok(self)
    }

    /// What an event invalidates; nothing if it is of an unknown kind.
    pub(super) fn judge(&self, event: &Changed) -> Option<Vec<(Dependency, Mode)>> {
        match &event.what {
            What::One { kind, .. } => self.judge_one(kind, event),
            What::All { kind } if self.ignored.contains(&**kind) => Some(Vec::new()),
            What::All { kind } => Some(hard(self.all.get(&**kind))),
            What::Missed => Some(hard(self.missed.as_ref())),
        }
    }

    fn judge_one(&self, kind: &str, event: &Changed) -> Option<Vec<(Dependency, Mode)>> {
        if self.ignored.contains(kind) {
            return Some(Vec::new());
        }
        let rules = self.kinds.get(kind).map(Vec::as_slice);
        let rules = rules.or(self.otherwise.as_ref().map(std::slice::from_ref))?;
        Some(rules.iter().flat_map(|rule| rule.judge(event)).collect())
    }

    fn add(mut self, kind: Box<str>, rule: Rule) -> Self {
        self.kinds.entry(kind).or_default().push(rule);
        self
    }

    /// The first fault is the one that is told.
    fn check(&mut self, is_right: bool, fault: fmt::Arguments<'_>) {
        if !is_right {
            self.fault.get_or_insert_with(|| fault.to_string());
        }
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("kinds", &self.kinds.keys())
            .field("ignored", &self.ignored)
            .field("otherwise", &self.otherwise.is_some())
            .field("all", &self.all)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}

impl Rule {
    fn new<D>(mode: Mode, rule: impl Fn(&Changed) -> D + Send + Sync + 'static) -> Self
    where
        D: IntoIterator,
        D::Item: Into<Dependency>,
    {
        Self {
            mode,
            judge: Arc::new(move |event| rule(event).into_iter().map(Into::into).collect()),
        }
    }

    fn judge(&self, event: &Changed) -> impl Iterator<Item = (Dependency, Mode)> + use<> {
        let mode = self.mode;
        let named = (self.judge)(event).into_iter();
        named.map(move |dependency| (dependency, mode))
    }
}

fn hard(named: Option<&Vec<Dependency>>) -> Vec<(Dependency, Mode)> {
    match named {
        Some(named) => named.iter().map(|it| (it.clone(), Mode::Hard)).collect(),
        None => vec![(Dependency::everything(), Mode::Hard)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directive::Tag;

    fn candidate(changed: &Changed) -> [Tag; 1] {
        [Tag::of("candidate", changed.id())]
    }

    fn tag(tag: Tag, mode: Mode) -> (Dependency, Mode) {
        (tag.into(), mode)
    }

    #[test]
    fn rules_of_a_kind_add_up_and_say_how_hard() {
        let rules = Rules::new()
            .on("candidate", candidate)
            .on_soft("candidate", |_| [Tag::new("dashboard")])
            .ignore("audit");
        assert_eq!(
            rules.judge(&Changed::new("candidate", 7)),
            Some(vec![
                tag(Tag::of("candidate", 7), Mode::Hard),
                tag(Tag::new("dashboard"), Mode::Soft)
            ])
        );
        assert_eq!(rules.judge(&Changed::new("audit", 7)), Some(vec![]));
        assert_eq!(rules.judge(&Changed::all("audit")), Some(vec![]));
        assert_eq!(rules.judge(&Changed::new("job", 7)), None);
        let rules = rules.otherwise(|_| [Dependency::everything()]);
        let everything = Some(vec![(Dependency::everything(), Mode::Hard)]);
        assert_eq!(rules.judge(&Changed::new("job", 7)), everything);
    }

    #[test]
    fn what_nobody_knows_is_everything_unless_the_rules_know_better() {
        let rules = Rules::new().on("candidate", candidate);
        let everything = Some(vec![(Dependency::everything(), Mode::Hard)]);
        for event in [
            Changed::all("candidate"),
            Changed::all("job"),
            Changed::missed(),
        ] {
            assert_eq!(rules.judge(&event), everything, "{event:?}");
        }
        let rules = rules
            .on_all("candidate", [Tag::new("all")])
            .on_missed([Tag::new("missed")]);
        for (event, name) in [
            (Changed::all("candidate"), "all"),
            (Changed::missed(), "missed"),
        ] {
            let told = Some(vec![tag(Tag::new(name), Mode::Hard)]);
            assert_eq!(rules.judge(&event), told);
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let none: [Tag; 0] = [];
        let on = || Rules::new().on("a", candidate);
        for (rules, fault) in [
            (on().ignore("a"), "ignored and has a rule"),
            (Rules::new().on("", candidate), "without a name"),
            (on().on_all("a", none), "concern nothing"),
            (on().on_missed(none), "missed is nothing"),
            (Rules::new().on_all("a", [Tag::new("x")]), "none for one"),
            (on().otherwise(candidate).otherwise(candidate), "twice"),
        ] {
            let said = rules.checked().expect_err(fault).to_string();
            assert!(said.contains(fault), "{said}");
        }
        assert!(
            on().on_all("a", [Tag::new("x")])
                .ignore("b")
                .checked()
                .is_ok()
        );
    }
}
