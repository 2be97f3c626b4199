//! What is known of one bucket, and how it is written down.

use super::{
    gcra::Arrival,
    ring::{COUNTED, Recent},
    window::Used,
};

/// What was used of a limit. What is of another kind than the rule that reads it counts as nothing used: a
/// policy's way of counting may change while records live.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) enum State {
    #[default]
    Unused,
    Gcra(Arrival),
    Ring(Box<Recent>),
    Window(Used),
    Slots(u64),
}

/// A bucket's state, and its ban.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) state: State,
    /// Few have one.
    pub(crate) ban: Option<Box<Ban>>,
}

/// A time in which nothing passes, whatever is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ban {
    pub(crate) until: u64,
    /// How many there were in a row; the next one is twice as long.
    pub(crate) level: u32,
    /// When they are forgotten.
    pub(crate) forgotten: u64,
}

impl Record {
    /// What was used will have come back at this moment, and nothing else is known.
    pub(crate) fn at(moment: u64) -> Self {
        Self {
            state: State::Gcra(Arrival {
                micros: moment,
                rest: 0,
            }),
            ban: None,
        }
    }

    /// Microseconds of a ban that are left.
    pub(crate) fn banned(&self, now: u64) -> u64 {
        let until = self.ban.as_ref().map_or(0, |ban| ban.until);
        until.saturating_sub(now)
    }

    /// When its bans are forgotten.
    pub(crate) fn forgotten(&self) -> u64 {
        self.ban.as_ref().map_or(0, |ban| ban.forgotten)
    }

    /// Reads what [`text`](Self::text) or the server's script wrote. What is neither counts as nothing.
    pub(crate) fn parse(text: &str) -> Self {
        let (ban, state) = match text.strip_prefix('B').and_then(|text| text.split_once(';')) {
            Some((ban, state)) => (parse_ban(ban).map(Box::new), state),
            None => (None, text),
        };
        Self {
            state: State::parse(state),
            ban,
        }
    }

    pub(crate) fn text(&self) -> String {
        let state = self.state.text();
        match &self.ban {
            Some(ban) => format!("B{},{},{};{state}", ban.until, ban.level, ban.forgotten),
            None => state,
        }
    }
}

impl State {
    pub(super) fn gcra(&self) -> Arrival {
        match self {
            Self::Gcra(arrival) => *arrival,
            _ => Arrival::default(),
        }
    }

    pub(super) fn ring(&self) -> &Recent {
        static NONE: Recent = Recent {
            index: 0,
            units: [0; COUNTED],
        };
        match self {
            Self::Ring(recent) => recent,
            _ => &NONE,
        }
    }

    pub(super) fn window(&self) -> Used {
        match self {
            Self::Window(used) => *used,
            _ => Used::default(),
        }
    }

    pub(super) fn slots(&self) -> u64 {
        match self {
            Self::Slots(taken) => *taken,
            _ => 0,
        }
    }

    fn parse(text: &str) -> Self {
        Self::try_parse(text).unwrap_or_default()
    }

    /// `micros`, `micros/rest`, `w index units`, `r index units …`, `c taken`; nothing after it.
    fn try_parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let state = match words.next()? {
            "w" => Self::Window(Used {
                index: number(words.next()?)?,
                units: number(words.next()?)?,
            }),
            "r" => {
                let mut recent = Recent {
                    index: number(words.next()?)?,
                    ..Recent::default()
                };
                for (units, word) in recent.units.iter_mut().zip(&mut words) {
                    *units = u32::try_from(number(word)?).ok()?;
                }
                Self::Ring(Box::new(recent))
            }
            "c" => Self::Slots(number(words.next()?)?),
            arrival => {
                let (micros, rest) = arrival.split_once('/').unwrap_or((arrival, "0"));
                Self::Gcra(Arrival {
                    micros: number(micros)?,
                    rest: number(rest)?,
                })
            }
        };
        words.next().is_none().then_some(state)
    }

    fn text(&self) -> String {
        match self {
            Self::Unused => String::new(),
            Self::Gcra(Arrival { micros, rest: 0 }) => micros.to_string(),
            Self::Gcra(Arrival { micros, rest }) => format!("{micros}/{rest}"),
            Self::Window(used) => format!("w {} {}", used.index, used.units),
            Self::Ring(recent) => {
                let last = recent.units.iter().rposition(|units| *units != 0);
                let units = recent.units.iter().take(last.map_or(0, |last| last + 1));
                let units: String = units.map(|units| format!(" {units}")).collect();
                format!("r {}{units}", recent.index)
            }
            Self::Slots(taken) => format!("c {taken}"),
        }
    }
}

fn parse_ban(text: &str) -> Option<Ban> {
    let mut words = text.split(',');
    let ban = Ban {
        until: number(words.next()?)?,
        level: u32::try_from(number(words.next()?)?).ok()?,
        forgotten: number(words.next()?)?,
    };
    words.next().is_none().then_some(ban)
}

/// A number that the server's script can have written: decimal, exact in a floating-point number.
fn number(text: &str) -> Option<u64> {
    let is_plain = (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_plain.then(|| text.parse::<u64>().ok())??;
    (number <= 1 << 53).then_some(number)
}
